namespace VfioUser.Tests;

/// <summary>A device in three releases, which run beside each other while a fleet is upgraded.</summary>
internal sealed class FleetDevice : PciDevice
{
    private readonly int _release;

    /// <param name="release">1; 2 has one register more and another at another place; 3 has one that older ones may ignore.</param>
    public FleetDevice(int release)
        : base(new PciId(0x1B36, 0x00F7, Revision: (byte)release), PciClass.Other)
    {
        _release = release;
        Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
        bar.AddRegister<uint>(0x00, new() { Name = "CTRL", OnWrite = _ => Derived = Control!.Value * 2 });
        Control = bar.AddRegister<uint>(0x04, new() { Name = "VALUE" });
        Count = bar.AddRegister<ulong>(release == 1 ? 0x10u : 0x20u, new() { Name = "COUNT" });
        bar.AddRegister<uint>(0x30, new() { Name = "CACHE", Migration = RegisterMigration.Skip });
        if (release >= 2)
            Limit = bar.AddRegister<uint>(0x40, new() { Name = "LIMIT", ResetValue = 100, Since = 2 });
        if (release >= 3)
            Trace = bar.AddRegister<uint>(0x50, new() { Name = "TRACE", Since = 3, Migration = RegisterMigration.Optional });
        if (release >= 2)
            Tick = AddTimer(() => { });
        Memory = AddBar(1, BarKind.Memory32, 0x2000).ShareMemory();
        Memory.Migration = release == 3 ? MemoryMigration.PreCopy : MemoryMigration.Stopped;
        EnableMigration(() => Own, value => (Own, RestoredFrom) = (value, RestoredVersion), new()
        {
            Version = release,
            MinimumVersion = release == 3 ? 2 : 1,
            ReadableFrom = release == 3 ? 2 : null,
            PreCopy = release == 3,
        });
    }

    public Register<uint> Control { get; }

    public Register<ulong> Count { get; }

    public Register<uint>? Limit { get; }

    public Register<uint>? Trace { get; }

    public DeviceTimer? Tick { get; }

    public RegionMemory Memory { get; }

    public uint Derived { get; set; }

    public ulong Own { get; set; }

    public int RestoredFrom { get; private set; }

    public bool RefusesRestore { get; init; }

    /// <summary>As the golden streams have it.</summary>
    public static FleetDevice Filled(int release)
    {
        FleetDevice device = new(release) { Own = 0x1122_3344_5566_7788 };
        device.Control.Value = 21;
        device.Count.Value = 0x1_0000_0001;
        device.Limit?.Value = 7;
        device.Trace?.Value = 3;
        device.Tick?.Start(TimeSpan.FromSeconds(1000));
        device.Memory.Span(0x10, 4).Fill(0xAB);
        return device;
    }

    protected override void OnRestored()
    {
        if (RefusesRestore)
            throw new InvalidDataException("not this one");
        Derived = Control.Value * 2;
        RestoredFrom.Should().Be(RestoredVersion);
        _release.Should().BePositive();
    }
}
