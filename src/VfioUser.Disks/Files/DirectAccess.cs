using System.Runtime.InteropServices;
using System.Threading.Tasks.Sources;

namespace VfioUser.Disks;

/// <summary>An access past the page cache, from when it is asked for until whoever waits has the answer. Used again for others.</summary>
/// <remarks>The kernel has its control block and its memory until then.</remarks>
internal sealed class DirectAccess : IValueTaskSource
{
    private readonly LinuxAio.ControlBlock[] _block = GC.AllocateArray<LinuxAio.ControlBlock>(1, pinned: true);
    private readonly Action<DirectAccess> _free;
    private ManualResetValueTaskSourceCore<bool> _core;
    private PinnedMemory _memory;

    /// <param name="number">Tells it from the other ones of its file.</param>
    /// <param name="free">Called when the answer was taken.</param>
    public DirectAccess(int number, Action<DirectAccess> free)
    {
        _block[0].Data = (ulong)number;
        _free = free;
    }

    /// <summary>Of the control block.</summary>
    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_block, 0);

    public ValueTask Answer => new(this, _core.Version);

    public bool IsWrite => _block[0].Opcode == LinuxAio.Write;

    /// <summary>In bytes.</summary>
    public long Offset => _block[0].Offset;

    /// <summary>What is read or written.</summary>
    public ReadOnlyMemory<byte> Memory { get; private set; }

    public void Begin(ushort opcode, int file, long offset, ReadOnlyMemory<byte> memory)
    {
        Memory = memory;
        _memory = new PinnedMemory(memory);
        ref LinuxAio.ControlBlock block = ref _block[0];
        (block.Opcode, block.File, block.Offset) = (opcode, (uint)file, offset);
        (block.Buffer, block.Length) = ((ulong)_memory.Address, (ulong)memory.Length);
    }

    /// <summary>Ends it. What follows runs on this thread, unless it has failed: then this may be one that asks for others.</summary>
    /// <param name="failure">Null if it was done.</param>
    public void End(Exception? failure)
    {
        _memory.Dispose();
        (_memory, Memory) = (default, default);
        _core.RunContinuationsAsynchronously = failure is not null;
        if (failure is null)
            _core.SetResult(true);
        else
            _core.SetException(failure);
    }

    void IValueTaskSource.GetResult(short token)
    {
        try
        {
            _core.GetResult(token);
        }
        finally
        {
            _core.Reset();
            _free(this);
        }
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
