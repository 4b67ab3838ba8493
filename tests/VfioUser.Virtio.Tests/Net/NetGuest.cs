using System.Net.NetworkInformation;
using VfioUser.Network;

namespace VfioUser.Virtio.Tests;

/// <summary>A guest with a network device, and as much of a driver as tests need.</summary>
internal sealed class NetGuest : IDisposable
{
    public const int HeaderLength = 12;
    public const ulong AllFeatures = (1ul << 24) - 1 | 1ul << 57 | 1ul << 60 | 1ul << 63;

    private readonly Dictionary<(int Queue, ushort Id), (Iova Address, int Length)> _buffers = [];
    private readonly int _headerLength; // longer with hashes

    public NetGuest(Layout layout = Layout.PackedWithEvents, GuestMemoryKind memory = GuestMemoryKind.Mapped, ulong features = AllFeatures,
        VirtioNetOptions? options = null, int queueSize = 64)
    {
        Device = new VirtioNet(options ?? new() { Address = Own });
        Guest = TestGuest.Attach(Device, new TestGuestOptions { Memory = memory, MemorySize = 32 << 20, Timeout = TimeSpan.FromSeconds(60) });
        VirtioDriverOptions driver = layout.Options(queueSize);
        Driver = VirtioDriver.Start(Guest, driver with { Features = driver.Features | features });
        _headerLength = Device.HeaderLength;
        Device.Plug(Cable);
    }

    public static PhysicalAddress Own { get; } = PhysicalAddress.Parse("52-54-00-AA-BB-01");

    public VirtioNet Device { get; }

    public TestGuest Guest { get; private set; }

    public VirtioDriver Driver { get; }

    /// <summary>What the guest has sent.</summary>
    public CollectingPort Cable { get; } = new(PortOffloads.All);

    /// <summary>Gives the device buffers to receive into.</summary>
    public void Post(int count, int length, int queue = 0)
    {
        for (int i = 0; i < count; i++)
        {
            Iova address = Guest.Memory.Allocate((ulong)length);
            _buffers[(queue, Driver.Queues[queue].Add(new VirtioPart(address, length, writable: true)))] = (address, length);
        }
        Driver.Queues[queue].Notify();
    }

    /// <summary>The next frame, with its header.</summary>
    public (byte[] Header, byte[] Frame) Receive(int queue = 0)
    {
        byte[] all = TakeBuffer(queue);
        byte[] header = all[.._headerLength];
        for (int left = BitConverter.ToUInt16(header, 10) - 1; left > 0; left--)
            all = [.. all, .. TakeBuffer(queue)];
        return (header, all[_headerLength..]);
    }

    /// <summary>Sends a frame, and waits until the device has it.</summary>
    public void Send(byte[] frame, byte[]? header = null, int queue = 1)
    {
        byte[] bytes = [.. header ?? new byte[_headerLength], .. frame];
        Iova address = Guest.Place(bytes);
        int middle = bytes.Length / 2;
        Driver.Queues[queue].Add(new VirtioPart(address, middle, writable: false), new VirtioPart(address + (ulong)middle, bytes.Length - middle, writable: false));
        Driver.Queues[queue].Notify();
        Driver.Queues[queue].Take();
    }

    /// <summary>A frame comes from the cable.</summary>
    public void Arrive(byte[] frame, FrameOffload offload = default) => new NetworkFrame(frame, offload).SendTo(Device);

    /// <summary>Sends a command.</summary>
    /// <returns>The device's answer: 0 for done.</returns>
    public byte Command(byte[] command, int queue = 2) => Driver.Queues[queue].Request(command, 1).Should().ContainSingle().Which;

    public ushort Status => Driver.ReadConfig<ushort>(6);

    public void MigrateTo(VirtioNet device)
    {
        Guest = Guest.MigrateTo(device);
        Driver.MoveTo(Guest);
    }

    public void Dispose()
    {
        Guest.Dispose();
        Device.Dispose();
    }

    public static byte[] HeaderOf(FrameOffload offload)
    {
        byte[] header = new byte[HeaderLength];
        OffloadHeader.Write(header, offload);
        return header;
    }

    private byte[] TakeBuffer(int queue)
    {
        VirtioUsed used = Driver.Queues[queue].Take();
        return Guest.Memory.ReadBytes(_buffers[(queue, used.Id)].Address, (int)used.Written);
    }
}
