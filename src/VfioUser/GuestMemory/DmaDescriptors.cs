using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors that a session's DMA regions are read and written through: one of each file, however many regions there are of it.</summary>
/// <remarks>Kept by the command thread, released by any. Nothing is shared between sessions.</remarks>
/// <param name="budget">What all clients of this process may use up.</param>
internal sealed class DmaDescriptors(DmaBudget budget)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(FileId Id, int OpenFlags), DmaDescriptor> _files = [];

    /// <summary>Keeps a file open, or closes it when it is open here already.</summary>
    /// <returns>Null when this process may keep no more files; then nothing was done.</returns>
    public DmaDescriptor? TryKeep(SafeFileHandle file, in FileFacts facts)
    {
        // rights and modes belong to the descriptor: where they differ the same access can have another result
        (FileId Id, int OpenFlags) key = (facts.Id, FileCalls.OpenFlags(file));
        lock (_lock)
        {
            bool isFirst = !_files.TryGetValue(key, out DmaDescriptor? found);
            if (found is not null && (FileCalls.IsSameOpenFile(found.File, file) || FileCalls.IsKnownByInode(file)))
            {
                found.Regions++;
                file.Dispose();
                return found;
            }
            if (!budget.TryTakeFile())
                return null;
            DmaDescriptor descriptor = new(this, file, isFirst ? key : null);
            if (isFirst)
                _files.Add(key, descriptor);
            return descriptor;
        }
    }

    /// <summary>A region has let go of a descriptor. Any thread.</summary>
    public void Release(DmaDescriptor descriptor)
    {
        lock (_lock)
        {
            if (--descriptor.Regions > 0)
                return;
            if (descriptor.Key is { } key)
                _files.Remove(key);
        }
        descriptor.File.Dispose();
        budget.GiveFileBack();
    }
}
