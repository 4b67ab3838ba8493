namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>The three kinds of doorbells.</summary>
internal sealed class Doorbells : PciDevice
{
    private int _byMessage;
    private int _byEventFd;
    private int _byMemory;

    public Doorbells()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E3), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        bar0.AddDoorbell<uint>(0x00, value => Interlocked.Add(ref _byMessage, (int)value));
        bar0.AddIoEventFd(0x04, () => Interlocked.Increment(ref _byEventFd));
        bar0.ShareMemory(new MemoryArea(Offset: 0x1000, Length: 0x1000));
        bar0.AddDoorbellPage(0x1000, count: 4, (doorbell, value) => Interlocked.Exchange(ref _byMemory, (int)value));
    }

    public int ByMessage => Volatile.Read(ref _byMessage);

    public int ByEventFd => Volatile.Read(ref _byEventFd);

    public int ByMemory => Volatile.Read(ref _byMemory);
}
