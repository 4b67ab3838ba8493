namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>Errors on the bus, a BAR whose size the guest chooses, and virtual functions.</summary>
internal sealed class Accelerator : PciDevice
{
    private readonly AerCapability _aer;
    private readonly SriovCapability _functions;
    private readonly Irq _failed;
    private readonly VfioUserHost _host;
    private readonly string _path;
    private readonly List<HostedDevice> _served = [];

    public Accelerator(VfioUserHost host, string path)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E6), PciClass.ProcessingAccelerator)
    {
        (_host, _path) = (host, path);
        Config.AddPciExpress();
        _aer = Config.AddAer();
        _failed = AddErrorIrq();
        Bar vram = AddBar(2, BarKind.Memory64Prefetchable, size: 8L << 30);
        AddResizableBars(new ResizableBar(vram) { SmallestSize = 256L << 20, InitialSize = 256L << 20, OnResize = size => Window = size });
        _functions = AddSriov(new SriovOptions { TotalVirtualFunctions = 4, DeviceId = 0x00E7, Bars = [new(0, BarKind.Memory64, size: 0x4000)] });
        _functions.AddCountHandler(Serve);
    }

    public long Window { get; private set; } = 256L << 20;

    public IReadOnlyList<HostedDevice> Served => _served;

    public void TimedOut(ulong address)
    {
        // the request that failed: a read of one DWORD, by the device 01:00.0
        AerMessage message = _aer.Report(AerUncorrectableErrors.CompletionTimeout, [0x0000_0001, 0x0100_000F, (uint)address]);
        if (message == AerMessage.Fatal)
            _failed.Trigger(); // the error interrupt: QEMU stops the machine
    }

    private void Serve(int count)
    {
        while (_served.Count < count) // those that the guest does not want any more stay, without a client
            _served.Add(_host.Add(new Function(), $"{_path}.vf{_served.Count}"));
    }
}

/// <summary>A virtual function: a device like any other.</summary>
internal sealed class Function : PciDevice
{
    public Function()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E7), PciClass.ProcessingAccelerator) =>
        AddBar(0, BarKind.Memory64, size: 0x4000);
}
