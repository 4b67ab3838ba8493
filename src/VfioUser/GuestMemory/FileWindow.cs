using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A part of a file mapped into this process, shared by all DMA regions in it.</summary>
/// <remarks>Mutable state is guarded by the lock of <see cref="FileWindows"/>.</remarks>
/// <param name="owner">Owns the windows of the session.</param>
/// <param name="memory">The mapping.</param>
/// <param name="start">Offset of its first byte in the file.</param>
/// <param name="charged">Bytes taken from the budget.</param>
internal sealed class FileWindow(FileWindows owner, MappedMemory memory, ulong start, ulong charged)
{
    /// <summary>The file; null for a mapping that is not shared.</summary>
    public FileId? File { get; init; }

    public bool IsReadable { get; init; }

    public bool IsWritable { get; init; }

    public ulong Charged => charged;

    /// <summary>Number of regions that use it.</summary>
    public int Regions { get; set; } = 1;

    /// <summary>Timestamp since when no region uses it.</summary>
    public long IdleSince { get; set; }

    /// <summary>Whether it covers a range of the file.</summary>
    public bool Holds(ulong fileOffset, ulong length) =>
        fileOffset >= start && fileOffset - start <= memory.Length && length <= memory.Length - (fileOffset - start);

    /// <summary>A range of the file; valid until <see cref="Release"/>.</summary>
    public MappedBytes Part(ulong fileOffset, ulong length) => memory.Part(fileOffset - start, length);

    /// <summary>A region stops using it. Any thread.</summary>
    public void Release() => owner.Release(this);

    public void Unmap() => memory.Dispose();
}
