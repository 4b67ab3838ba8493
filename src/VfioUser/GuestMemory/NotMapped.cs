using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Tells once for each reason that guest memory is not mapped, since that is what makes a device slow.</summary>
/// <remarks>Command thread. One for each session.</remarks>
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

    /// <summary>A region is about to be reached by something else than loads and stores.</summary>
    /// <param name="map">Its bounds and rights.</param>
    /// <param name="facts">About its file; null if there is none.</param>
    /// <param name="backing">How it is reached.</param>
    /// <param name="mayMap">Whether it could be mapped if there were room.</param>
    public void Tell(in DmaMap map, FileFacts? facts, DmaBacking backing, bool mayMap)
    {
        // ROM of QEMU's has no descriptor ever, and nobody writes there
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
        Reasons.NoDescriptor => "the client sent no descriptor; a guest's memory needs share=on",
        Reasons.NotRegular => "its descriptor is not one of a regular file",
        Reasons.HugePages => "it has huge pages, which the client can take away; TrustClientMemory maps them",
        Reasons.NotSealed => "its file can shrink, as nothing seals it; TrustClientMemory maps it",
        Reasons.Budget => "the process has as many mappings as it may have",
        _ => "the client asked for file I/O",
    };
}
