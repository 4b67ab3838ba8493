namespace VfioUser.Tests;

/// <summary>A device with whatever regions a test describes.</summary>
internal sealed class OddDevice : PciDevice
{
    public OddDevice(Action<OddDevice> describe)
        : base(new PciId(Vendor: 0x1B36, Device: 0x0ADD), PciClass.Unclassified) => describe(this);

    public Bar Bar(int number, BarKind kind, long size, IRegionHandler? handler = null) => AddBar(number, kind, size, handler);

    public DeviceRegion Own(uint type, uint subtype, long size, IRegionHandler? handler = null) => AddDeviceRegion(type, subtype, size, handler);

    public Region OwnVga(IRegionHandler handler) => AddVga(handler);

    public Region OwnRom(ReadOnlySpan<byte> image) => AddRom(image);
}

/// <summary>Remembers accesses and reads as the low byte of each offset.</summary>
internal sealed class Recorder : IRegionHandler
{
    public List<string> Seen { get; } = [];

    public void Read(long offset, Span<byte> destination)
    {
        Seen.Add($"read {offset:x}+{destination.Length}");
        for (int i = 0; i < destination.Length; i++)
            destination[i] = (byte)(offset + i);
    }

    public void Write(long offset, ReadOnlySpan<byte> source) =>
        Seen.Add($"write {offset:x} {Convert.ToHexString(source)}");
}
