namespace VfioUser;

/// <content>Logs and metrics of guest memory.</content>
internal sealed partial class ServerLog : IGuestMemoryObserver
{
    void IGuestMemoryObserver.Mapped(DmaRegion region) => Mapped(region.Address, region.Length, region.Backing);

    void IGuestMemoryObserver.UnmapWaits(DmaRegion region) => UnmapWaits(region.Address, region.Length);

    void IGuestMemoryObserver.UnmapAbandoned(DmaRegion region) => UnmapAbandoned(region.Address, region.Length);

    DmaMeter IGuestMemoryObserver.MeterOf(DmaBacking backing) => Metrics.Of(backing);
}
