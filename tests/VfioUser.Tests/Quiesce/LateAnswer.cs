using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>What a device answers when a test says so; to one question.</summary>
internal sealed class LateAnswer : IDisposable
{
    private readonly TaskCompletionSource<bool> _answer = new();
    private readonly ManualResetEvent _asked = new(false);
    private readonly ManualResetEvent _cancelled = new(false);
    private CancellationTokenRegistration _told;
    private int _count;

    /// <summary>On which thread the device was told to give up.</summary>
    public Thread? CancelledOn { get; private set; }

    public ValueTask<bool> Ask(QuiesceReason reason, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _count).Should().Be(1, "a device is not asked again before it has answered");
        _told = cancellation.Register(() =>
        {
            CancelledOn = Thread.CurrentThread;
            _cancelled.Set();
        });
        _asked.Set();
        return new ValueTask<bool>(_answer.Task);
    }

    public void ShouldBeAsked() => _asked.ShouldBeSet();

    public void ShouldBeCancelled() => _cancelled.ShouldBeSet();

    public void IsAtRest() => _answer.SetResult(true);

    public void IsBusy() => _answer.SetResult(false);

    public void Fails(Exception exception) => _answer.SetException(exception);

    public void GivesUp() => _answer.SetCanceled();

    public void Dispose()
    {
        _told.Dispose();
        _asked.Dispose();
        _cancelled.Dispose();
    }
}
