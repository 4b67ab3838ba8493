using System.Threading.Tasks.Sources;

namespace VfioUser.Disks;

/// <summary>An access of an image, from when it is made until whoever waits for it has the answer. Used again for others.</summary>
/// <param name="completed">Called when the library is done with it, before the answer.</param>
/// <param name="free">Called when the answer was taken.</param>
internal sealed class RbdRequest(Action completed, Action<RbdRequest> free) : NativeCallback, IValueTaskSource
{
    // the answer is used by other threads than the library's, which have the next ones to receive
    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };
    private PinnedMemory _memory;
    private RbdAccess _access;
    private long _offset;
    private long _length;

    public ValueTask Answer => new(this, _core.Version);

    /// <summary>Hands the access to the library, which may answer before this returns.</summary>
    /// <param name="image">Stays open until the answer.</param>
    /// <param name="access">What.</param>
    /// <param name="offset">In bytes.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="memory">Of reads and writes.</param>
    public void Start(nint image, RbdAccess access, long offset, long length, ReadOnlyMemory<byte> memory)
    {
        (_access, _offset, _length) = (access, offset, length);
        _memory = new PinnedMemory(memory);
        int result = Librbd.CreateCompletion(Argument, Completed, out nint completion);
        if (result >= 0)
        {
            result = Submit(image, completion);
            if (result >= 0)
                return;
            Librbd.Release(completion);
        }
        Complete(result);
    }

    protected override void Complete(long result)
    {
        _memory.Dispose();
        _memory = default;
        completed();
        // after this line it may be another access
        if (result < 0)
            _core.SetException(RbdFailure.Of(Name, result));
        else if (_access == RbdAccess.Read && result != _length)
            _core.SetException(new EndOfStreamException($"{Name} gave {result}: the image ends there."));
        else
            _core.SetResult(true);
    }

    private string Name => $"{_access} of {_length} bytes at {_offset}";

    private int Submit(nint image, nint completion) => _access switch
    {
        RbdAccess.Read => Librbd.Read(image, (ulong)_offset, (nuint)_length, _memory.Address, completion),
        RbdAccess.Write => Librbd.Write(image, (ulong)_offset, (nuint)_length, _memory.Address, completion),
        RbdAccess.Discard => Librbd.Discard(image, (ulong)_offset, (ulong)_length, completion),
        RbdAccess.Zero => Librbd.WriteZeroes(image, (ulong)_offset, (nuint)_length, completion, 0, 0),
        RbdAccess.ZeroAllocated => Librbd.WriteZeroes(image, (ulong)_offset, (nuint)_length, completion, Librbd.Allocate, 0),
        _ => Librbd.Flush(image, completion),
    };

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            free(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
