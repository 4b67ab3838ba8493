using System.Buffers;

namespace VfioUser.Protocol.Interop;

/// <summary>Mapped bytes as <see cref="Memory{T}"/>. A derived class keeps the mapping alive while <see cref="IsHeld"/>, and from
/// each <see cref="TryEnter"/> to its <see cref="Exit"/>.</summary>
/// <remarks>Any thread.</remarks>
internal abstract unsafe class MappedMemoryManager(MappedBytes bytes) : MemoryManager<byte>
{
    /// <summary>In bytes.</summary>
    public int Length => (int)bytes.Length;

    /// <summary>Whether the bytes may be used.</summary>
    protected abstract bool IsHeld { get; }

    /// <summary>Where the bytes lie in this process. Valid while <see cref="IsHeld"/>.</summary>
    public nint Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(!IsHeld, this);
            return (nint)bytes.PointerTo(0);
        }
    }

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(!IsHeld, this);
        return bytes.Slice(0, Length);
    }

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementIndex);
        byte* pointer = bytes.PointerTo((ulong)elementIndex);
        ObjectDisposedException.ThrowIf(!TryEnter(), this);
        // SAFETY: the mapping is alive from the enter above to the exit in Unpin, which the handle calls.
        return new MemoryHandle(pointer, pinnable: this);
    }

    public override void Unpin() => Exit();

    /// <summary>Keeps the mapping alive until <see cref="Exit"/>. False once it is not held any more.</summary>
    protected abstract bool TryEnter();

    protected abstract void Exit();

    protected override void Dispose(bool disposing)
    {
        // owns nothing: the mapping is released by its holder
    }
}
