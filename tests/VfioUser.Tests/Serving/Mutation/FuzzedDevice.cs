using System.Buffers.Binary;

namespace VfioUser.Tests.Serving;

/// <summary>What a device throws on purpose; anything else is somebody's mistake.</summary>
internal sealed class FuzzException : Exception;

/// <summary>A device that does everything that a device can do when a guest tells it to.</summary>
internal sealed partial class FuzzedDevice : PciDevice, IRegionHandler
{
    public const long TouchMemory = 0xF00;
    public const long Interrupt = 0xF10;
    public const long Throw = 0xF20;
    public const long ThrowLater = 0xF30;
    public const long IoEventFdOffset = 0xF40;
    public const uint OwnRegion = 9;

    private readonly byte[] _memory = new byte[0x1000];
    private readonly byte[] _buffer = new byte[256];
    private readonly IrqVectors _msix;
    private readonly Intx _intx;
    private int _rung;
    private int _ticks;

    public FuzzedDevice(bool preCopy)
        : base(new PciId(0x1B36, 0x00F5), PciClass.ProcessingAccelerator)
    {
        RequiresBusMaster = false;
        Bar bar0 = AddBar(0, BarKind.Memory32, 0x1000, this);
        bar0.AddIoEventFd(IoEventFdOffset, () => Interlocked.Increment(ref _rung));
        bar0.AddIoEventFd(IoEventFdOffset + 8, () => { }, new IoEventFdOptions { Mode = NotificationMode.Polling, Datamatch = 0 });
        for (long more = 0x10; more < 0x80; more += 8)
            bar0.AddIoEventFd(IoEventFdOffset + more, () => throw new FuzzException(), size: 0);
        _msix = AddBar(1, BarKind.Memory64, 0x1000).AddMsiX(0, vectors: 64);
        Bar shared = AddBar(3, BarKind.Memory32, 0x4000);
        shared.ShareMemory(new MemoryArea(0x1000, 0x1000), new MemoryArea(0x3000, 0x1000));
        shared.AddDoorbellPage(0x1000, 4, (_, _) => Interlocked.Increment(ref _rung), new DoorbellPageOptions { Spin = TimeSpan.Zero, StopAfter = TimeSpan.Zero });
        AddDeviceRegion(DeviceRegion.VendorType(0x1B36), 1, 0x1000, this);
        Bar ports = AddBar(4, BarKind.Io, 0x20);
        ports.AddRegister<uint>(0);
        ports.AddRegister<ushort>(4, RegisterAccess.WriteOneToClear);
        ports.AddDoorbell(8, () => _intx!.Assert());
        ports.AddDoorbell(12, () => _intx!.Deassert());
        DeviceTimer timer = AddTimer(() => Interlocked.Increment(ref _ticks));
        ports.AddDoorbell<uint>(16, microseconds => timer.StartPeriodic(TimeSpan.FromMicroseconds(1 + microseconds % 1000)));
        ports.AddDoorbell(20, () => Post(timer.Stop, untilReset: true));
        AddWorkerThread("fuzzed", Work);
        AddRom("ROM"u8);
        AddMsi(4, perVectorMask: true);
        AddErrorIrq();
        AddRequestIrq();
        _intx = AddIntx();
        Config.AddPowerManagement();
        Config.AddPciExpress();
        Config.AddDeviceSerialNumber(1);
        EnableMigration(this, new() { PreCopy = preCopy });
    }

    /// <summary>How often it used the client's memory, by the way in which it is reached.</summary>
    public int[] Touched { get; } = new int[3];

    /// <summary>How many doorbell writes came as messages.</summary>
    public int Rung => _rung;

    /// <summary>How often an interrupt was taken.</summary>
    public int Interrupted { get; private set; }

    // without guest memory: a client that is asked for it by message at any time would have to expect that
    private void Work(DeviceWork work, CancellationToken stop)
    {
        while (!stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1)))
        {
            using (work.Enter())
                Post(() => Interlocked.Increment(ref _ticks), untilReset: true);
        }
    }

    public void Read(long offset, Span<byte> destination)
    {
        if (offset == Throw)
            throw new FuzzException();
        _memory.AsSpan((int)offset, destination.Length).CopyTo(destination);
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        source.CopyTo(_memory.AsSpan((int)offset));
        ulong value = BinaryPrimitives.ReadUInt64LittleEndian(_memory.AsSpan((int)TouchMemory));
        switch (offset)
        {
            case TouchMemory:
                Touch(new Iova(value));
                break;
            case Interrupt:
                Interrupted += _msix[_memory[(int)Interrupt] % _msix.Count].Trigger() ? 1 : 0;
                break;
            case ThrowLater:
                _throwIn = _memory[(int)ThrowLater];
                break;
            case Throw:
                throw new FuzzException();
        }
    }

    private void Touch(Iova address)
    {
        if (Dma.Regions.FirstOrDefault(region => region.Address == address) is { } region)
            Touched[(int)region.Backing]++;
        if (Dma.TryRead(address, _buffer.AsSpan(0, 100)) && Dma.TryWrite(address, _buffer.AsSpan(0, 100)) && Dma.TryLease(address, 200, writable: true, out DmaLease lease))
        {
            using (lease)
                lease.TryRead(0, _buffer.AsSpan(0, 200));
        }
    }
}
