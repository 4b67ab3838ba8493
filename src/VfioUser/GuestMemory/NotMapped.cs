using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Reports once for each reason that guest memory is not mapped, since that makes a device slow.</summary>
/// <remarks>Command thread. One per session.</remarks>
internal sealed class NotMapped(IGuestMemoryObserver observer)
{
    private Reasons _told;

    [Flags]
    private enum Reasons
    {
        None = 0,
        NoDescriptor = 1,
        NotRegular = 2,
        HugePages = 4,
        NotSealed = 8,
        Budget = 16,
        Asked = 32,
    }

    /// <summary>Reports a region that is not accessed with loads and stores.</summary>
    /// <param name="map">The command.</param>
    /// <param name="facts">Facts of its file; null if there is none.</param>
    /// <param name="backing">How it is accessed.</param>
    /// <param name="mayMap">Whether it would be mapped if the budget allowed it.</param>
    public void Tell(in DmaMap map, FileFacts? facts, DmaBacking backing, bool mayMap)
    {
        // QEMU never sends a descriptor for ROM, and devices rarely read it: not worth a warning
        if (facts is null && (map.Flags & DmaMapFlags.Writeable) == 0)
            return;
        Reasons reason = ReasonOf(map, facts, mayMap);
        if ((_told & reason) != 0)
            return;
        _told |= reason;
        observer.NotMapped(new Iova(map.Address), map.Size, backing, TextOf(reason));
    }

    private static Reasons ReasonOf(in DmaMap map, FileFacts? facts, bool mayMap) => facts switch
    {
        _ when mayMap => Reasons.Budget,
        null => Reasons.NoDescriptor,
        { IsRegular: false } => Reasons.NotRegular,
        _ when (map.Flags & (DmaMapFlags.FileIo | DmaMapFlags.Mmap)) == DmaMapFlags.FileIo => Reasons.Asked,
        { IsHuge: true } => Reasons.HugePages,
        _ => Reasons.NotSealed,
    };

    private static string TextOf(Reasons reason) => reason switch
    {
        Reasons.NoDescriptor => "the client sent no descriptor; in QEMU, the guest's memory needs share=on",
        Reasons.NotRegular => "its descriptor is not a regular file",
        Reasons.HugePages => "it has huge pages, which the client can remove; TrustClientMemory maps them",
        Reasons.NotSealed => "its file is not sealed against shrinking; TrustClientMemory maps it",
        Reasons.Budget => "the process has as many mappings as it may",
        _ => "the client asked for file I/O",
    };
}
