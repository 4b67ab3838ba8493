using System.Collections.Concurrent;

namespace VfioUser.Nvme.Tests.Support;

/// <summary>A disk that never blocks, and answers when the test says.</summary>
internal sealed class LaterDisk(long size) : Disk
{
    private readonly MemoryDisk _memory = new(size);
    private readonly BlockingCollection<Request> _requests = [];
    private int _inFlight;
    private int _most;

    public override long Size => _memory.Size;

    public override bool MayBlock => false;

    public override bool HasVolatileCache => true;

    /// <summary>Most requests that were in flight at one time.</summary>
    public int MostInFlight => Volatile.Read(ref _most);

    /// <summary>Waits for the next request; it is answered when it is given back.</summary>
    public Request Take() => _requests.TryTake(out Request? request, TimeSpan.FromSeconds(60)) ? request
        : throw new TimeoutException("a request was expected");

    /// <summary>Answers requests on a thread of its own until it is told to stop.</summary>
    public Task AnswerUntil(CancellationToken stop) => Task.Run(() =>
    {
        try
        {
            foreach (Request request in _requests.GetConsumingEnumerable(stop))
                request.Answer();
        }
        catch (OperationCanceledException)
        {
            // the test is over
        }
    }, CancellationToken.None);

    public override async ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default)
    {
        await Later(cancellation);
        await _memory.ReadAsync(offset, destination, cancellation);
    }

    public override async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default)
    {
        await Later(cancellation);
        await _memory.WriteAsync(offset, source, cancellation);
    }

    protected override async ValueTask WriteBackAsync() => await Later(CancellationToken.None);

    private async ValueTask Later(CancellationToken cancellation)
    {
        int now = Interlocked.Increment(ref _inFlight);
        for (int most = _most; now > most; most = _most)
            Interlocked.CompareExchange(ref _most, now, most);
        Request request = new(cancellation);
        _requests.Add(request, CancellationToken.None);
        try
        {
            await request.Answered;
        }
        finally
        {
            Interlocked.Decrement(ref _inFlight);
        }
    }

    /// <summary>A request that waits for its answer.</summary>
    public sealed class Request(CancellationToken cancellation)
    {
        private readonly TaskCompletionSource _answered = new();

        public Task Answered => _answered.Task.WaitAsync(cancellation);

        public void Answer() => _answered.TrySetResult();

        public void Fail(Exception exception) => _answered.TrySetException(exception);
    }
}
