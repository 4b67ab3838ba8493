using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>The answer of a device to one request to quiesce, at a time that the test chooses.</summary>
internal sealed class LateAnswer : IDisposable
{
    private readonly TaskCompletionSource<bool> _answer = new();
    private readonly ManualResetEvent _asked = new(false);
    private readonly ManualResetEvent _cancelled = new(false);
    private CancellationTokenRegistration _told;
    private int _count;

    /// <summary>The thread on which the request was cancelled.</summary>
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

    public void Quiesced() => _answer.SetResult(true);

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
