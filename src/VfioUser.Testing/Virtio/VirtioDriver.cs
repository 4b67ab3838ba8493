using System.Runtime.InteropServices;

namespace VfioUser.Testing;

/// <summary>A driver for virtio devices, in a test: finds the device's structures, negotiates features, sets its queues up, and starts it.</summary>
/// <remarks>
/// <para>One thread at a time. Vector 0 is that of the configuration, vector i + 1 that of queue i.</para>
/// <para>VIRTIO 1.3 3.1 "Device Initialization", 4.1.</para>
/// </remarks>
public sealed class VirtioDriver
{
    private const byte VendorCapability = 0x09;
    private const byte CommonType = 1;
    private const byte NotifyType = 2;
    private const byte IsrType = 3;
    private const byte ConfigType = 4;

    private const byte Acknowledge = 1;
    private const byte Driver = 2;
    private const byte DriverOk = 4;
    private const byte FeaturesOk = 8;
    private const byte NeedsReset = 64;

    private const ulong NotificationData = 1ul << 38;

    private readonly (RegionIndex Region, long Offset)? _common, _isr, _config, _notify;
    private readonly uint _notifyMultiplier;
    private List<VirtioDriverQueue> _queues = [];

    private VirtioDriver(TestGuest guest, VirtioDriverOptions options)
    {
        (Guest, Options) = (guest, options);
        Function = guest.StartDriver(PciIrqTypes.MsiX);
        Interrupts = guest.MsiX;
        foreach (GuestCapability capability in Function.Capabilities.Where(static capability => !capability.IsExtended && capability.Id == VendorCapability))
        {
            (RegionIndex, long) place = ((RegionIndex)capability.Read<byte>(4), capability.Read<uint>(8));
            switch (capability.Read<byte>(3))
            {
                case CommonType:
                    _common = place;
                    break;
                case NotifyType:
                    (_notify, _notifyMultiplier) = (place, capability.Read<uint>(16));
                    break;
                case IsrType:
                    _isr = place;
                    break;
                case ConfigType:
                    _config = place;
                    break;
            }
        }
        if (_common is null || _notify is null)
            throw new TestGuestException("The device has no common configuration or no notification structure: it is no modern virtio device.");
    }

    /// <summary>The guest that it runs in.</summary>
    public TestGuest Guest { get; private set; }

    /// <summary>As it was started.</summary>
    public VirtioDriverOptions Options { get; }

    /// <summary>The PCI function, as the driver found it.</summary>
    public PciFunction Function { get; }

    /// <summary>The MSI-X vectors.</summary>
    public GuestInterrupts Interrupts { get; private set; }

    /// <summary>The features that both sides have.</summary>
    public ulong Features { get; private set; }

    /// <summary>The queues that are set up.</summary>
    public IReadOnlyList<VirtioDriverQueue> Queues => _queues;

    /// <summary>Starts the device: its queues can be used then.</summary>
    /// <exception cref="TestGuestException">It is no virtio device, or refuses the features.</exception>
    public static VirtioDriver Start(TestGuest guest, VirtioDriverOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(guest);
        VirtioDriver driver = new(guest, options ?? new VirtioDriverOptions());
        driver.Start();
        return driver;
    }

    /// <summary>The device status field.</summary>
    public byte ReadStatus() => Read<byte>(0x14);

    /// <summary>Whether the device asks to be reset.</summary>
    public bool ReadNeedsReset() => (ReadStatus() & NeedsReset) != 0;

    /// <summary>Causes of the INTx interrupt, which reading clears.</summary>
    public byte ReadIsr() => RegionOf(_isr, out long offset).Read<byte>(offset);

    /// <summary>A structure or value of the device's configuration.</summary>
    /// <param name="offset">First byte.</param>
    /// <remarks>Reads it again until the device has not changed it meanwhile.</remarks>
    public T ReadConfig<T>(long offset = 0)
        where T : unmanaged
    {
        T value = default;
        byte generation;
        do
        {
            generation = Read<byte>(0x15);
            RegionOf(_config, out long at).Read(at + offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        }
        while (Read<byte>(0x15) != generation);
        return value;
    }

    /// <summary>Writes to the device's configuration.</summary>
    public void WriteConfig<T>(long offset, T value)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T> => RegionOf(_config, out long at).Write(at + offset, value);

    /// <summary>Resets the device, and waits until it is.</summary>
    /// <exception cref="TestGuestException">It does not become reset within the guest's timeout.</exception>
    public void Reset()
    {
        _queues = [];
        Features = 0;
        Write(0x14, (byte)0);
        if (!SpinWait.SpinUntil(() => ReadStatus() == 0, Guest.Options.Timeout))
            throw new TestGuestException($"The device has status 0x{ReadStatus():x2} and is not reset after {Guest.Options.Timeout}.");
    }

    /// <summary>Resets the device and starts it again.</summary>
    public void Start()
    {
        Reset();
        Write(0x14, Acknowledge);
        Write(0x14, (byte)(Acknowledge | Driver));
        Features = Negotiate(Options.Features);
        Write(0x14, (byte)(Acknowledge | Driver | FeaturesOk));
        if ((ReadStatus() & FeaturesOk) == 0)
            throw new TestGuestException($"The device refuses the features 0x{Features:x}.");
        Write(0x10, (ushort)0);
        int count = Math.Min(Options.Queues ?? int.MaxValue, Read<ushort>(0x12));
        _queues = [.. Enumerable.Range(0, count).Select(SetUp)];
        Write(0x14, (byte)(Acknowledge | Driver | FeaturesOk | DriverOk));
    }

    /// <summary>Resets one queue and sets it up again. The device must have bit 40.</summary>
    public VirtioDriverQueue ResetQueue(int index)
    {
        Write(0x16, (ushort)index);
        Write(0x3A, (ushort)1);
        if (!SpinWait.SpinUntil(() => Read<ushort>(0x3A) == 0, Guest.Options.Timeout))
            throw new TestGuestException($"Queue {index} is not reset after {Guest.Options.Timeout}.");
        return _queues[index] = SetUp(index);
    }

    /// <summary>The guest has migrated: the driver goes on there.</summary>
    /// <param name="guest">What <see cref="TestGuest.MigrateTo(PciDevice, GuestMigrationOptions?)"/> has returned.</param>
    public void MoveTo(TestGuest guest)
    {
        ArgumentNullException.ThrowIfNull(guest);
        (Guest, Interrupts) = (guest, guest.MsiX);
    }

    /// <summary>Writes a field of the common configuration.</summary>
    /// <param name="offset">As in VIRTIO 1.3 4.1.4.3.</param>
    /// <param name="value">The value, in the width of the field.</param>
    public void Write<T>(long offset, T value)
        where T : unmanaged, System.Numerics.IBinaryInteger<T>, System.Numerics.IUnsignedNumber<T> => RegionOf(_common, out long at).Write(at + offset, value);

    /// <summary>Reads a field of the common configuration.</summary>
    /// <param name="offset">As in VIRTIO 1.3 4.1.4.3.</param>
    public T Read<T>(long offset)
        where T : unmanaged => RegionOf(_common, out long at).Read<T>(at + offset);

    /// <summary>Tells the device that a queue has buffers. VIRTIO 1.3 4.1.5.2 "Available Buffer Notifications".</summary>
    internal void Notify(int queue, ushort notifyOffset, ushort progress)
    {
        GuestRegion region = RegionOf(_notify, out long at);
        at += notifyOffset * _notifyMultiplier;
        if ((Features & NotificationData) != 0)
            region.Write(at, (uint)(queue | progress << 16));
        else
            region.Write(at, (ushort)queue);
    }

    private GuestRegion RegionOf((RegionIndex Region, long Offset)? place, out long offset)
    {
        if (place is not { } found)
            throw new TestGuestException("The device has no such structure.");
        offset = found.Offset;
        return Guest.Region(found.Region);
    }

    private ulong Negotiate(ulong wanted)
    {
        ulong accepted = 0;
        for (int word = 0; word < 2; word++)
        {
            Write(0x00, (uint)word);
            Write(0x08, (uint)word);
            uint bits = Read<uint>(0x04) & (uint)(wanted >> (32 * word));
            Write(0x0C, bits);
            accepted |= (ulong)bits << (32 * word);
        }
        return accepted;
    }

    private VirtioDriverQueue SetUp(int index)
    {
        Write(0x16, (ushort)index);
        int size = Math.Min(Read<ushort>(0x18), Options.QueueSize);
        VirtioDriverQueue queue = VirtioDriverQueue.Create(this, index, size, Read<ushort>(0x1E));
        Write(0x18, (ushort)size);
        Write(0x1A, (ushort)(index + 1));
        Write(0x20, queue.Descriptors.Value);
        Write(0x28, queue.DriverArea.Value);
        Write(0x30, queue.DeviceArea.Value);
        Write(0x1C, (ushort)1);
        return queue;
    }
}
