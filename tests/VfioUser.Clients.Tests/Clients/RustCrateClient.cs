using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>
/// The client of rust-vmm/vfio's crate vfio-user (96c82d1), which is Cloud Hypervisor's. Each reply is read by a size that is
/// known before: a success's. Neither the size in the header nor the Error bit is looked at, so that what is shorter blocks
/// it for ever, and what is longer is taken for the beginning of its next reply.
/// </summary>
internal sealed class RustCrateClient : IDisposable
{
    /// <summary>What its serializer writes.</summary>
    public const string Proposal = """{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}""";

    private readonly ClientSocket _socket;
    private ushort _nextId; // from 0, and round

    private RustCrateClient(ClientSocket socket) => _socket = socket;

    public IReadOnlyList<RustCrateRegion> Regions { get; private set; } = [];

    public uint IrqCount { get; private set; }

    /// <summary>It has the flag the wrong way round.</summary>
    public bool Resettable { get; private set; }

    /// <summary>Connects, negotiates, and describes all regions.</summary>
    public static RustCrateClient Connect(string address)
    {
        RustCrateClient client = new(ClientSocket.Connect("the Rust crate's client", address));
        client.NegotiateVersion();
        client.GetRegions();
        return client;
    }

    public void DmaMap(ulong offset, ulong address, ulong size, SafeFileHandle file)
    {
        ushort id = Say(Command.DmaMap, Wire.Bytes(new DmaMap(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, offset, address, size)), default, file);
        ReadExactly(id, Command.DmaMap, 16);
    }

    public void DmaUnmap(ulong address, ulong size)
    {
        ushort id = Say(Command.DmaUnmap, Wire.Bytes(new DmaUnmap(24, 0, address, size)));
        ReadExactly(id, Command.DmaUnmap, 16 + 24);
    }

    public void Reset()
    {
        ushort id = Say(Command.DeviceReset, []);
        ReadExactly(id, Command.DeviceReset, 16);
    }

    public byte[] RegionRead(uint region, ulong offset, int count)
    {
        ushort id = Say(Command.RegionRead, Wire.Bytes(new RegionAccess(offset, region, (uint)count)));
        ReadExactly(id, Command.RegionRead, 16 + 16);
        return _socket.ReadExactly(count, $"the data of {Command.RegionRead}"); // whatever the reply says of it
    }

    public T RegionRead<T>(uint region, ulong offset)
        where T : unmanaged => WireFormat.Read<T>(RegionRead(region, offset, Marshal.SizeOf<T>()));

    public void RegionWrite(uint region, ulong offset, params byte[] data)
    {
        ushort id = Say(Command.RegionWrite, Wire.Bytes(new RegionAccess(offset, region, (uint)data.Length)), data);
        ReadExactly(id, Command.RegionWrite, 16 + 16);
    }

    public IrqInfo GetIrqInfo(uint index)
    {
        ushort id = Say(Command.DeviceGetIrqInfo, Wire.Bytes(new IrqInfo(16, 0, index, 0)));
        return WireFormat.Read<IrqInfo>(ReadExactly(id, Command.DeviceGetIrqInfo, 16 + 16).AsSpan(16));
    }

    public void SetIrqs(uint index, IrqSetFlags flags, uint start, uint count, params ReadOnlySpan<SafeHandle> fds)
    {
        ushort id = Say(Command.DeviceSetIrqs, Wire.Bytes(new IrqSet(20, flags, index, start, count)), default, fds);
        ReadExactly(id, Command.DeviceSetIrqs, 16);
    }

    public RustCrateRegion Region(uint index) => Regions.Single(region => region.Info.Index == index);

    /// <summary>Ends the session, and looks whether all that was said was read.</summary>
    public void Shutdown()
    {
        _socket.ShouldBeDrained();
        _socket.Shutdown();
    }

    public void Dispose()
    {
        foreach (RustCrateRegion region in Regions)
            region.File?.Dispose();
        _socket.Dispose();
    }

    private void NegotiateVersion()
    {
        ushort id = Say(Command.Version, Wire.Bytes(new ProtocolVersion(0, 1)), [.. System.Text.Encoding.UTF8.GetBytes(Proposal), 0]);
        byte[] version = ReadExactly(id, Command.Version, 16 + 4);
        byte[] text = _socket.ReadExactly((int)Wire.HeaderOf(version).MessageSize - version.Length, "the server's capabilities");
        // all but the last byte is parsed, and a terminator within it would fail
        using JsonDocument json = JsonDocument.Parse(text.AsMemory(0, text.Length - 1));
        JsonElement capabilities = json.RootElement.GetProperty("capabilities");
        ShouldBeU32(capabilities, "max_msg_fds");
        ShouldBeU32(capabilities, "max_data_xfer_size");
        if (capabilities.TryGetProperty("migration", out JsonElement migration))
            migration.GetProperty("pgsize").TryGetUInt32(out _).Should().BeTrue("without it the reply is refused");
    }

    private static void ShouldBeU32(JsonElement capabilities, string name)
    {
        if (capabilities.TryGetProperty(name, out JsonElement value))
            value.TryGetUInt32(out _).Should().BeTrue("{0} is parsed as u32", name);
    }

    private void GetRegions()
    {
        ushort id = Say(Command.DeviceGetInfo, Wire.Bytes(new DeviceInfo(16 + 16, 0, 0, 0))); // it counts the header
        DeviceInfo info = WireFormat.Read<DeviceInfo>(ReadExactly(id, Command.DeviceGetInfo, 16 + 16).AsSpan(16));
        info.Flags.Should().HaveFlag(DeviceFlags.Pci);
        IrqCount = info.IrqCount;
        Resettable = !info.Flags.HasFlag(DeviceFlags.Reset);
        Regions = [.. Enumerable.Range(0, (int)info.RegionCount).Select(index => GetRegionInfo((uint)index))];
    }

    private RustCrateRegion GetRegionInfo(uint index)
    {
        (RegionInfo info, _, SafeFileHandle? file) = AskRegionInfo(index, 32);
        if (info.Argsz <= 32)
            return new RustCrateRegion(info, file, []);
        file?.Dispose(); // dropped with the first answer
        (info, uint size, file) = AskRegionInfo(index, info.Argsz);
        int caps = (int)info.Argsz - 32;
        (size - 48).Should().Be((uint)caps, "anything else is a panic");
        return new RustCrateRegion(info, file, SparseAreas(info, _socket.ReadExactly(caps, "region capabilities")));
    }

    private (RegionInfo Info, uint MessageSize, SafeFileHandle? File) AskRegionInfo(uint index, uint argsz)
    {
        ushort id = Say(Command.DeviceGetRegionInfo, Wire.Bytes(new RegionInfo(argsz, 0, index, 0, 0, 0)));
        byte[] reply = new byte[16 + 32];
        FdList? fds = null;
        // one recvmsg with room for one descriptor; less than all would leave zeros
        _socket.Receive(reply, "a region's description", ref fds).Should().Be(reply.Length);
        ShouldAnswer(reply, id, Command.DeviceGetRegionInfo);
        using (fds)
        {
            (fds?.Count ?? 0).Should().BeLessThanOrEqualTo(1);
            return (WireFormat.Read<RegionInfo>(reply.AsSpan(16)), Wire.HeaderOf(reply).MessageSize, fds is { Count: 1 } ? fds.Take(0) : null);
        }
    }

    private static SparseMmapArea[] SparseAreas(in RegionInfo info, byte[] caps)
    {
        List<SparseMmapArea> areas = [];
        for (uint at = info.CapOffset; at != 0;)
        {
            RegionCapHeader header = WireFormat.Read<RegionCapHeader>(caps.AsSpan((int)at - 32));
            if (header.Id == RegionCapId.SparseMmap)
                areas.AddRange(MemoryMarshal.Cast<byte, SparseMmapArea>(caps.AsSpan((int)at - 32 + 16, 16 * BitConverter.ToInt32(caps, (int)at - 32 + 8))));
            at = header.Next;
        }
        return [.. areas];
    }

    private ushort Say(Command command, byte[] fixedPart, ReadOnlySpan<byte> data = default, params ReadOnlySpan<SafeHandle> fds)
    {
        ushort id = _nextId++;
        _socket.Send([.. Wire.Header(id, command, fixedPart.Length + data.Length), .. fixedPart], data, fds);
        return id;
    }

    private byte[] ReadExactly(ushort id, Command command, int count)
    {
        byte[] bytes = _socket.ReadExactly(count, $"the reply to {command}");
        ShouldAnswer(bytes, id, command);
        return bytes;
    }

    // what the original does not look at, and this test does: whether it still is where it thinks it is
    private static void ShouldAnswer(byte[] reply, ushort id, Command command)
    {
        MessageHeader header = Wire.HeaderOf(reply);
        (header.MessageId, header.Command, header.IsReply).Should().Be((id, command, true), "it takes this for the reply: {0}", Convert.ToHexString(reply));
    }
}

/// <summary>A region as the Rust crate describes it.</summary>
internal sealed record RustCrateRegion(RegionInfo Info, SafeFileHandle? File, IReadOnlyList<SparseMmapArea> SparseAreas);
