namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>A BAR whose first half is memory that the guest maps, and whose second half is registers.</summary>
internal sealed class FrameBuffer : PciDevice
{
    private readonly RegionMemory _pixels;

    public FrameBuffer()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E2), PciClass.DisplayOther)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32Prefetchable, size: 0x20000);
        _pixels = bar0.ShareMemory(new MemoryArea(Offset: 0, Length: 0x10000));
        bar0.AddRegister<uint>(0x10000, new RegisterOptions<uint> { ResetValue = 640 });
    }

    public byte Brightest()
    {
        byte brightest = 0;
        foreach (byte pixel in _pixels.Span(0, 0x10000)) // the guest may draw meanwhile
            brightest = Math.Max(brightest, pixel);
        return brightest;
    }
}
