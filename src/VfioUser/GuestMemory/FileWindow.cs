using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>A part of a file that is mapped into this process, for all DMA regions that lie in it.</summary>
/// <remarks>What changes belongs to <see cref="FileWindows"/> and its lock.</remarks>
/// <param name="owner">Knows which windows there are.</param>
/// <param name="memory">The mapping.</param>
/// <param name="start">Where in the file it begins.</param>
/// <param name="charged">How many bytes were taken from the budget.</param>
internal sealed class FileWindow(FileWindows owner, MappedMemory memory, ulong start, ulong charged)
{
    /// <summary>The file; null for a mapping of one region's own.</summary>
    public FileId? File { get; init; }

    public bool IsReadable { get; init; }

    public bool IsWritable { get; init; }

    public ulong Charged => charged;

    /// <summary>How many regions hold it.</summary>
    public int Regions { get; set; } = 1;

    /// <summary>Since when none does.</summary>
    public long IdleSince { get; set; }

    /// <summary>Whether all of a range of the file is mapped here.</summary>
    public bool Holds(ulong fileOffset, ulong length) =>
        fileOffset >= start && fileOffset - start <= memory.Length && length <= memory.Length - (fileOffset - start);

    /// <summary>A range of the file; good until <see cref="Release"/>.</summary>
    public MappedBytes Part(ulong fileOffset, ulong length) => memory.Part(fileOffset - start, length);

    /// <summary>A region has let go of it. Any thread.</summary>
    public void Release() => owner.Release(this);

    public void Unmap() => memory.Dispose();
}
