namespace VfioUser.Schedules;

/// <summary>Leases that are taken before their region is unmapped are used and end afterwards.</summary>
internal sealed class LeaseAcrossUnmap : Scenario
{
    private const ulong Size = 0x1000;

    private readonly Card _card = new();
    private readonly Memory _memory = new();
    private readonly DmaDrain _drain;
    private bool _begun;

    public LeaseAcrossUnmap()
    {
        _card.Dma.Table = _card.Dma.Table.Add(_memory);
        _drain = new DmaDrain([_memory]);
        // so that there is a slot to take
        _card.Dma.TryLease(default, 8, writable: true, out DmaLease lease);
        lease.Dispose();
    }

    public override Action[] Threads => [Lease, Lease, Unmap];

    public override void CheckEnd()
    {
        Schedule.Require(_memory.Freed == 1, $"freed {_memory.Freed} times");
        Schedule.Require(_drain.IsDone, "not drained");
    }

    public override void Dispose()
    {
        _card.Dispose();
        base.Dispose();
    }

    private void Lease()
    {
        if (!_card.Dma.TryLease(default, 8, writable: true, out DmaLease lease))
            return;
        Schedule.WaitUntil(() => _begun, "waits for the unmap to begin");
        Schedule.Require(_memory.Freed == 0, "freed under a lease");
        Schedule.Require(lease.TryWrite(0, [1]), "cannot be written");
        lease.Dispose();
    }

    private void Unmap()
    {
        _card.Dma.Table = GuestRegionTable.Empty;
        _drain.Begin();
        _begun = true;
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
            return DmaResult.Done;
        }

        protected override void Release() => Freed++;
    }
}
