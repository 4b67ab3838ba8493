using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>
/// SPDK's host library (lib/vfio_user/host, 3230130). Every message has the id 0. A header is one receive, what follows it one
/// read, and neither asks whether it got all. Behind a header with the Error bit it reads nothing, so that a body there is
/// taken for its next reply. Unmaps carry the descriptor of the map. Its proposal is a version number and not a word more.
/// </summary>
internal sealed class SpdkHostClient : IDisposable
{
    private const int MaxPayload = 4096;
    private const int MaxFds = 8;
    private const int MaxMemoryRegions = 16;

    private readonly ClientSocket _socket;
    private readonly List<MemoryRegion> _memory = [];
    private Region[] _regions = [];

    private SpdkHostClient(ClientSocket socket) => _socket = socket;

    public DeviceInfo Info { get; private set; }

    public IReadOnlyList<Region> Regions => _regions;

    /// <summary>Attaches as <c>spdk_vfio_user_setup</c> does: version, device, regions, and then what is registered of its memory.</summary>
    /// <param name="address">The server's.</param>
    /// <param name="memory">Registered before, each with its virtual address, which is its IOVA.</param>
    public static SpdkHostClient Setup(string address, params MemoryRegion[] memory)
    {
        SpdkHostClient client = new(ClientSocket.Connect("SPDK's host", address));
        client.CheckVersion();
        client.GetDeviceInfo();
        client._regions = [.. Enumerable.Range(0, (int)client.Info.RegionCount).Select(index => client.GetRegionInfo((uint)index))];
        foreach (MemoryRegion region in memory)
            client.Register(region).Should().Be(Errno.None, "a map that fails ends the setup");
        return client;
    }

    /// <summary>Memory that the program got from its allocator.</summary>
    public Errno Register(MemoryRegion memory)
    {
        _memory.Count.Should().BeLessThan(MaxMemoryRegions);
        _memory.Add(memory);
        DmaMap map = new(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, memory.Offset, memory.Address, memory.Size);
        return Request(Command.DmaMap, Wire.Bytes(map), 32, out _, memory.File);
    }

    /// <summary>And what it gives back, which is forgotten whatever the server says.</summary>
    public Errno Unregister(MemoryRegion memory)
    {
        _memory.Remove(memory);
        return Request(Command.DmaUnmap, Wire.Bytes(new DmaUnmap(24, 0, memory.Address, memory.Size)), 24, out _, memory.File);
    }

    /// <summary>A register, by message before the first mapped area, and else where it is mapped.</summary>
    public byte[] Read(uint index, ulong offset, int length)
    {
        if (Find(index, offset, length) is { } mapped)
            return mapped.ToArray();
        Errno errno = ReadByMessage(index, offset, length, out byte[] data);
        errno.Should().Be(Errno.None);
        return data;
    }

    public T Read<T>(uint index, ulong offset)
        where T : unmanaged => WireFormat.Read<T>(Read(index, offset, Marshal.SizeOf<T>()));

    public Errno ReadByMessage(uint index, ulong offset, int length, out byte[] data)
    {
        Errno errno = Request(Command.RegionRead, Wire.Bytes(new RegionAccess(offset, index, (uint)length)), 16 + length, out byte[] reply);
        data = errno == Errno.None ? reply[16..(16 + length)] : [];
        return errno;
    }

    public void Write<T>(uint index, ulong offset, T value)
        where T : unmanaged
    {
        byte[] data = Wire.Bytes(value);
        if (Find(index, offset, data.Length) is { } mapped)
            data.CopyTo(mapped.Span);
        else
            WriteByMessage(index, offset, data).Should().Be(Errno.None);
    }

    public Errno WriteByMessage(uint index, ulong offset, params byte[] data) =>
        Request(Command.RegionWrite, Wire.Bytes(new RegionAccess(offset, index, (uint)data.Length), data), 16 + data.Length, out _);

    /// <summary>The mapped doorbells, without which an NVMe controller is given up: "Error to get device BAR0".</summary>
    public Area? BarAddress(uint index, ulong offset, ulong length) =>
        _regions[index].Areas.FirstOrDefault(area => area.Offset <= offset && offset + length <= area.Offset + area.Size);

    /// <summary>Detaches: each piece of memory is unmapped first.</summary>
    public void Release()
    {
        foreach (MemoryRegion memory in _memory.ToArray())
            Unregister(memory).Should().Be(Errno.None);
        _socket.ShouldBeDrained();
    }

    public void Dispose()
    {
        foreach (Region region in _regions)
        {
            foreach (Area area in region.Areas)
                area.Memory.Dispose();
        }
        _socket.Dispose();
    }

    private void CheckVersion() =>
        Request(Command.Version, Wire.Bytes(new ProtocolVersion(0, 1)), MaxPayload, out _).Should().Be(Errno.None);

    private void GetDeviceInfo()
    {
        Request(Command.DeviceGetInfo, Wire.Bytes(new DeviceInfo(16, 0, 0, 0)), 16, out byte[] reply).Should().Be(Errno.None);
        Info = WireFormat.Read<DeviceInfo>(reply);
        Info.RegionCount.Should().BeLessThanOrEqualTo(10, "there is room for no more");
    }

    // its argsz is what its buffer has beyond the structure, and all of that is sent
    private Region GetRegionInfo(uint index)
    {
        byte[] payload = new byte[MaxPayload - 32];
        WireFormat.Write(payload, new RegionInfo((uint)payload.Length, 0, index, 0, 0, 0));
        Errno errno = Request(Command.DeviceGetRegionInfo, payload, MaxPayload, out byte[] reply, out FdList? fds);
        errno.Should().Be(Errno.None);
        RegionInfo info = WireFormat.Read<RegionInfo>(reply);
        using (fds)
            return new Region(info, info.Size != 0 && info.Flags.HasFlag(RegionFlags.Mmap) ? Map(info, reply, fds) : []);
    }

    private static Area[] Map(in RegionInfo info, byte[] reply, FdList? fds)
    {
        for (uint at = info.Flags.HasFlag(RegionFlags.Caps) ? info.CapOffset : 0; at != 0;)
        {
            RegionCapHeader header = WireFormat.Read<RegionCapHeader>(reply.AsSpan((int)at));
            if (header.Id == RegionCapId.SparseMmap)
                return MapAreas(info, MemoryMarshal.Cast<byte, SparseMmapArea>(reply.AsSpan((int)at + 16, 16 * BitConverter.ToInt32(reply, (int)at + 8))), fds);
            at = header.Next;
        }
        return MapAreas(info, [new SparseMmapArea(0, info.Size)], fds);
    }

    // it takes a descriptor for each area; where there are fewer, its descriptor 0 is mapped, which fails unless the area is empty
    private static Area[] MapAreas(in RegionInfo info, ReadOnlySpan<SparseMmapArea> sparse, FdList? fds)
    {
        List<Area> areas = [];
        for (int i = 0; i < Math.Min(sparse.Length, fds?.Count ?? 0); i++)
            areas.Add(new Area(sparse[i].Offset, sparse[i].Size, SharedMemory.Map(fds!.Take(i), info.Offset + sparse[i].Offset, sparse[i].Size)));
        return [.. areas];
    }

    private Memory? Find(uint index, ulong offset, int length)
    {
        Region region = _regions[index];
        (offset + (ulong)length).Should().BeLessThanOrEqualTo(region.Info.Size, "it asks for no more");
        if (region.Areas.Count == 0 || offset < region.Areas[0].Offset)
            return null;
        return new Memory(BarAddress(index, offset, (ulong)length) ?? throw new ClientStuckException("SPDK's host: EFAULT"), offset, length);
    }

    private Errno Request(Command command, ReadOnlySpan<byte> payload, int room, out byte[] reply, params ReadOnlySpan<SafeHandle> fds)
    {
        Errno errno = Request(command, payload, room, out reply, out FdList? received, fds);
        received.Should().BeNull();
        return errno;
    }

    private Errno Request(Command command, ReadOnlySpan<byte> payload, int room, out byte[] reply, out FdList? received, params ReadOnlySpan<SafeHandle> fds)
    {
        payload.Length.Should().BeLessThanOrEqualTo(MaxPayload);
        _socket.Send(Wire.Message(0, command, payload), default, fds);
        reply = [];
        received = null;
        byte[] bytes = new byte[16];
        int got = _socket.Receive(bytes, $"the reply to {command}", ref received);
        got.Should().Be(16, "it takes a header for whole, and what is missing for zeros");
        (received?.Count ?? 0).Should().BeLessThanOrEqualTo(MaxFds);
        MessageHeader header = Wire.HeaderOf(bytes);
        // what the original does not look at, and this test does: whether it still is where it thinks it is
        (header.MessageId, header.Command, header.IsReply).Should().Be(((ushort)0, command, true), "it takes this for the reply: {0}", Convert.ToHexString(bytes));
        if (header.Flags.HasFlag(MessageFlags.Error))
            return (Errno)header.Error; // and whatever follows is for the next reply
        reply = new byte[header.MessageSize - 16];
        if (reply.Length == 0)
            return Errno.None;
        reply.Length.Should().BeLessThanOrEqualTo(MaxPayload, "there is room for no more");
        FdList? more = null;
        _socket.Receive(reply, $"what follows the header of the reply to {command}", ref more).Should().Be(reply.Length, "it reads once");
        more.Should().BeNull();
        if (command is not (Command.DmaMap or Command.DmaUnmap))
            reply.Length.Should().BeLessThanOrEqualTo(room, "more is EIO");
        return Errno.None;
    }

    /// <summary>Memory of the program: hugetlbfs or a memfd, neither sealed.</summary>
    internal sealed record MemoryRegion(SafeFileHandle File, ulong Offset, ulong Address, ulong Size);

    internal sealed record Region(RegionInfo Info, IReadOnlyList<Area> Areas);

    /// <summary>A mapped part of a region.</summary>
    internal sealed record Area(ulong Offset, ulong Size, SharedMemory Memory);

    private readonly record struct Memory(Area Area, ulong Offset, int Length)
    {
        public Span<byte> Span => Area.Memory.Slice(Offset - Area.Offset, Length);

        public byte[] ToArray() => Span.ToArray();
    }
}
