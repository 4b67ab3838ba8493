namespace VfioUser.Schedules;

/// <summary>Two write to regions that a third one unmaps.</summary>
internal sealed class UnmapWhileWritten : Scenario
{
    private const ulong Size = 0x1000;

    private readonly Card _card = new();
    private readonly Memory[] _memories = [new(0), new(Size)];
    private readonly GuestRegions _regions;
    private bool _unmapped;

    public UnmapWhileWritten()
    {
        _regions = new GuestRegions(_card, messages: null!, maxMaps: 2, trustClient: false, maxDirtyBitmap: 0, observer: null!);
        foreach (Memory memory in _memories)
            _card.Dma.Table = _card.Dma.Table.Add(memory);
    }

    public override Action[] Threads => [() => Write(0), () => Write(Size), Unmap];

    public override void CheckEnd() => Schedule.Require(_memories.All(memory => memory.Freed == 1), "not freed once");

    public override void Dispose()
    {
        _regions.Dispose();
        _card.Dispose();
        base.Dispose();
    }

    private void Write(ulong address)
    {
        bool unmapped = _unmapped;
        bool written = _card.Dma.TryWrite(new Iova(address), (byte)1);
        Schedule.Require(!(unmapped && written), "written when it was unmapped");
    }

    private void Unmap()
    {
        DmaDrain drain = _regions.UnmapBetween(0, (2 * Size) - 1);
        Schedule.WaitUntil(() => drain.IsDone, "waits for the last user");
        Schedule.Require(_memories.All(memory => memory.Freed == 1), "done before it was freed");
        _unmapped = true;
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(Vendor: 1, Device: 2), PciClass.Unclassified) => RequiresBusMaster = false;
    }

    private sealed class Memory(ulong address)
        : GuestRegion(new DmaRegion(new Iova(address), Size, isReadable: true, isWritable: true, default))
    {
        public int Freed { get; private set; }

        protected override DmaResult Get(ulong offset, Span<byte> destination) => Access();

        protected override DmaResult Put(ulong offset, ReadOnlySpan<byte> source) => Access();

        protected override void Release()
        {
            Schedule.Point("frees");
            Freed++;
        }

        private DmaResult Access()
        {
            Schedule.Require(Freed == 0, "written when it was freed");
            Schedule.Point("writes memory");
            Schedule.Require(Freed == 0, "freed while it was written");
            return DmaResult.Done;
        }
    }
}
