using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests.Block;

/// <summary>A block device, and a guest whose driver uses it.</summary>
internal sealed class BlockGuest : IDisposable
{
    public const int DiskSize = 1 << 20;

    public BlockGuest(Disk? disk = null, VirtioBlockOptions? options = null, Layout layout = Layout.PackedIndirect, ulong without = 0,
        GuestMemoryKind memory = GuestMemoryKind.Mapped, ulong guestMemorySize = 32 << 20)
    {
        Disk = disk ?? new MemoryDisk(DiskSize);
        Device = new VirtioBlock(Disk, options);
        Guest = TestGuest.Attach(Device, new TestGuestOptions { Memory = memory, MemorySize = guestMemorySize, Timeout = TimeSpan.FromSeconds(60) });
        VirtioDriverOptions driver = layout.Options(size: 256);
        // what is the type's own, too
        Driver = VirtioDriver.Start(Guest, driver with { Features = (driver.Features | 0xFF_FFFF) & ~without });
    }

    public Disk Disk { get; }

    public VirtioBlock Device { get; }

    public TestGuest Guest { get; private set; }

    public VirtioDriver Driver { get; }

    public VirtioDriverQueue Queue => Driver.Queues[0];

    public BlockConfig Config => Driver.ReadConfig<BlockConfig>();

    /// <summary>Bytes that differ from block to block.</summary>
    public static byte[] Pattern(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static byte[] Header(BlockRequestType type, ulong sector = 0)
    {
        BlockHeader header = new(type, 0, sector);
        return MemoryMarshal.AsBytes(new ReadOnlySpan<BlockHeader>(in header)).ToArray();
    }

    public static byte[] Ranges(params BlockRange[] ranges) => MemoryMarshal.AsBytes(ranges.AsSpan()).ToArray();

    /// <summary>Sends a request that the device reads, such as a write.</summary>
    public BlockStatus Send(BlockRequestType type, ulong sector = 0, byte[]? data = null, int queue = 0) =>
        (BlockStatus)Driver.Queues[queue].Request([.. Header(type, sector), .. data ?? []], 1)[0];

    /// <summary>Sends a request that the device answers with data.</summary>
    public (BlockStatus Status, byte[] Data) Ask(BlockRequestType type, ulong sector, int length, int queue = 0)
    {
        byte[] answer = Driver.Queues[queue].Request(Header(type, sector), length + 1);
        return ((BlockStatus)answer[^1], answer[..^1]);
    }

    public byte[] Read(ulong sector, int length)
    {
        (BlockStatus status, byte[] data) = Ask(BlockRequestType.Read, sector, length);
        status.Should().Be(BlockStatus.Ok);
        return data;
    }

    public void Write(ulong sector, byte[] data) => Send(BlockRequestType.Write, sector, data).Should().Be(BlockStatus.Ok);

    /// <summary>Makes a request available, and does not wait for it.</summary>
    public PendingRequest Post(BlockRequestType type, ulong sector, byte[] data, int queue = 0)
    {
        Iova status = Guest.Place([0xFF]);
        ushort id = Driver.Queues[queue].Add(
            new VirtioPart(Guest.Place(Header(type, sector)), BlockHeader.Size, writable: false),
            new VirtioPart(Guest.Place(data), data.Length, writable: false),
            new VirtioPart(status, 1, writable: true));
        Driver.Queues[queue].Notify();
        return new PendingRequest(id, status);
    }

    public BlockStatus StatusOf(PendingRequest request) => (BlockStatus)Guest.Memory.Read<byte>(request.Status);

    public void MoveTo(VirtioBlock target)
    {
        Guest = Guest.MigrateTo(target);
        Driver.MoveTo(Guest);
    }

    public void Dispose()
    {
        Guest.Dispose();
        Device.Dispose();
        Disk.Dispose();
    }
}
