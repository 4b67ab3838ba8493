using System.Buffers;

namespace VfioUser.Disks;

/// <summary>Memory that native code reads or writes while others run: it is not moved until this is disposed.</summary>
internal unsafe struct PinnedMemory : IDisposable
{
    private MemoryHandle _handle;

    // nothing is allocated for memory that never moves, as that of devices
    public PinnedMemory(ReadOnlyMemory<byte> memory) => _handle = memory.Pin();

    /// <summary>Of the first byte.</summary>
    // SAFETY: only a number; who uses it holds the pin, and knows the length.
    public readonly nint Address => (nint)_handle.Pointer;

    public void Dispose() => _handle.Dispose();
}
