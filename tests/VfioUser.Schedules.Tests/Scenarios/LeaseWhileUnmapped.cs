namespace VfioUser.Schedules;

/// <summary>Two take leases of a region, use them, and end them twice, while a third one unmaps it.</summary>
internal sealed class LeaseWhileUnmapped : Scenario
{
    private const ulong Size = 0x1000;

    private readonly Card _card = new();
    private readonly Memory _memory = new();
    private readonly GuestRegions _regions;
    private int _held;
    private bool _unmapped;

    public LeaseWhileUnmapped()
    {
        _regions = new GuestRegions(_card, messages: null!, maxMaps: 1, trustClient: false, maxDirtyBitmap: 0, observer: null!);
        _card.Dma.Table = _card.Dma.Table.Add(_memory);
    }

    public override Action[] Threads => [Lease, Lease, Unmap];

    public override void CheckEnd() => Schedule.Require(_memory.Freed == 1, $"freed {_memory.Freed} times");

    public override void Dispose()
    {
        _regions.Dispose();
        _card.Dispose();
        base.Dispose();
    }

    private void Lease()
    {
        bool unmapped = _unmapped;
        if (!_card.Dma.TryLease(default, 1, writable: true, out DmaLease lease))
            return;
        Schedule.Require(!unmapped, "leased when it was unmapped");
        _held++;
        DmaLease copy = lease;
        Schedule.Require(lease.TryWrite(0, [1]), "cannot be written");
        _held--;
        lease.Dispose();
        copy.Dispose(); // must not end the lease of the other, which may have the same slot now
    }

    private void Unmap()
    {
        DmaDrain drain = _regions.UnmapBetween(0, Size - 1);
        Schedule.WaitUntil(() => drain.IsDone, "waits for the last lease");
        Schedule.Require(_held == 0, "unmapped under a lease");
        Schedule.Require(_memory.Freed == 1, "done before it was freed");
        _unmapped = true;
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(Vendor: 1, Device: 2), PciClass.Unclassified) => RequiresBusMaster = false;
    }

    private sealed class Memory()
        : GuestRegion(new DmaRegion(default, Size, isReadable: true, isWritable: true, default))
    {
        public int Freed { get; private set; }

        protected override DmaResult Get(ulong offset, Span<byte> destination) => DmaResult.Done;

        protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
        {
            Schedule.Require(Freed == 0, "written when it was freed");
            Schedule.Point("writes memory");
            Schedule.Require(Freed == 0, "freed while it was written");
            return DmaResult.Done;
        }

        protected override void Release() => Freed++;
    }
}
