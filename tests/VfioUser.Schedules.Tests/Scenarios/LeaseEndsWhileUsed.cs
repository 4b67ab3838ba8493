namespace VfioUser.Schedules;

/// <summary>One uses a lease that another one ends, who takes the next one in its place; then the region is unmapped.</summary>
internal sealed class LeaseEndsWhileUsed : Scenario
{
    private const ulong Size = 0x1000;

    private readonly Card _card = new();
    private readonly Memory _memory = new();
    private readonly DmaLease _first;
    private DmaDrain? _drain;

    public LeaseEndsWhileUsed()
    {
        _card.Dma.Table = _card.Dma.Table.Add(_memory);
        _card.Dma.TryLease(new Iova(0), 8, writable: true, out _first);
    }

    public override Action[] Threads => [Use, EndAndLease, Unmap];

    public override void CheckEnd()
    {
        Schedule.Require(_memory.Freed == 1, $"freed {_memory.Freed} times");
        Schedule.Require(_drain!.IsDone, "not drained");
    }

    public override void Dispose()
    {
        _card.Dispose();
        base.Dispose();
    }

    private void Use()
    {
        try
        {
            Schedule.Require(_first.TryWrite(4, [1]), "cannot be written");
            Schedule.Require(_memory.WrittenAt == 4, "another lease's memory is written");
        }
        catch (ObjectDisposedException)
        {
            // it has ended
            Schedule.Require(!_memory.IsWritten, "written although it had ended");
        }
    }

    private void EndAndLease()
    {
        Schedule.Require(_memory.Freed == 0, "freed under a lease");
        _first.Dispose();
        if (!_card.Dma.TryLease(new Iova(0x800), 8, writable: true, out DmaLease next))
            return;
        Schedule.Require(next.Address == new Iova(0x800), "of other memory");
        Schedule.Require(_memory.Freed == 0, "leased when it was freed");
        next.Dispose();
    }

    private void Unmap()
    {
        _card.Dma.Table = GuestRegionTable.Empty;
        _drain = new DmaDrain([_memory]);
        _drain.Begin();
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

        public bool IsWritten { get; private set; }

        public ulong WrittenAt { get; private set; }

        protected override DmaResult Get(ulong offset, Span<byte> destination) => DmaResult.Done;

        protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source)
        {
            Schedule.Require(Freed == 0, "written when it was freed");
            (IsWritten, WrittenAt) = (true, offset);
            Schedule.Point("writes memory");
            Schedule.Require(Freed == 0, "freed while it was written");
            return DmaResult.Done;
        }

        protected override void Release() => Freed++;
    }
}
