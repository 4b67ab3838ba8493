using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors that a session's DMA regions use for system calls: regions of the same file share one.</summary>
/// <remarks>Added on the Command thread, released on any. Sessions share nothing.</remarks>
/// <param name="budget">Limits all clients of this process together.</param>
internal sealed class GuestFiles(DmaBudget budget)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(FileId Id, int OpenFlags), GuestFile> _files = [];

    /// <summary>Takes over a descriptor, unless the file is kept already.</summary>
    /// <returns>The file to use; null when the budget is used up.</returns>
    public GuestFile? TryKeep(SafeFileHandle file, in FileFacts facts)
    {
        // access mode and flags belong to the open file: with others, the same access may have another result
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

    /// <summary>A region stops using a file. Any thread.</summary>
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
