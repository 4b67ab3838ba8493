using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors that a session's DMA regions are read and written through: one of each file, however many regions there are of it.</summary>
/// <remarks>Kept by the command thread, released by any. Nothing is shared between sessions.</remarks>
/// <param name="budget">What all clients of this process may use up.</param>
internal sealed class GuestFiles(DmaBudget budget)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(FileId Id, int OpenFlags), GuestFile> _files = [];

    /// <summary>Takes over a descriptor, unless the file is open here already.</summary>
    /// <returns>What the file is reached through; null when this process may keep no more of them.</returns>
    public GuestFile? TryKeep(SafeFileHandle file, in FileFacts facts)
    {
        // rights and modes belong to the descriptor: where they differ the same access can have another result
        (FileId Id, int OpenFlags) key = (facts.Id, FileCalls.OpenFlags(file));
        lock (_lock)
        {
            bool isFirst = !_files.TryGetValue(key, out GuestFile? found);
            if (found is not null && (FileCalls.IsSameOpenFile(found.File, file) || FileCalls.IsKnownByInode(file)))
            {
                found.Regions++;
                return found;
            }
            if (!budget.TryTakeFile())
                return null;
            GuestFile kept = new(this, file, isFirst ? key : null);
            if (isFirst)
                _files.Add(key, kept);
            return kept;
        }
    }

    /// <summary>A region has let go of a file. Any thread.</summary>
    public void Release(GuestFile kept)
    {
        lock (_lock)
        {
            if (--kept.Regions > 0)
                return;
            if (kept.Key is { } key)
                _files.Remove(key);
        }
        kept.File.Dispose();
        budget.GiveFileBack();
    }
}
