using System.Runtime.InteropServices;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>
/// QEMU's client (hw/vfio-user of 11.1). Its socket does not block. A header must come in one piece, the rest may come in
/// many; a reply may be as long as the request, or as what it said it has room for, and no longer; descriptors are taken
/// where they were asked for. Errors of maps and unmaps are printed, and not acted upon. What it sends is one write each:
/// of a reply to the device that the socket does not take whole, the rest is lost.
/// </summary>
internal sealed partial class QemuClient : IDisposable
{
    /// <summary>As its serializer writes it.</summary>
    public const string Proposal =
        """{"capabilities": {"pgsizes": 4096, "max_msg_fds": 16, "max_dma_maps": 65535, "max_data_xfer_size": 1048576, "migration": {"max_bitmap_size": 268435456, "pgsize": 4096}, "write_multiple": true}}""";

    private const int MaxTransfer = 1 << 20;
    private const int MaxFds = 16;

    private readonly ClientSocket _socket;
    private readonly Dictionary<ushort, Pending> _pending = [];
    private readonly Queue<(MessageHeader Header, byte[] Payload)> _incoming = [];
    private readonly List<string> _errors = [];
    private ushort _nextId; // from 0; all devices of a process share it
    private Pending? _lastNoWait;

    private QemuClient(ClientSocket socket) => _socket = socket;

    /// <summary>What it would have printed.</summary>
    public IReadOnlyList<string> Errors => _errors;

    public static QemuClient Connect(string address)
    {
        QemuClient client = new(ClientSocket.Connect("QEMU", address));
        client.ValidateVersion();
        return client;
    }

    public DeviceInfo GetDeviceInfo()
    {
        DeviceInfo info = WireFormat.Read<DeviceInfo>(Ask(Command.DeviceGetInfo, Wire.Bytes(new DeviceInfo(16, 0, 0, 0))).Payload);
        info.RegionCount.Should().BeLessThanOrEqualTo(100);
        info.IrqCount.Should().BeLessThanOrEqualTo(50);
        return info;
    }

    /// <summary>Asked once, and again where there are capabilities; the message has 32 bytes both times, the room grows.</summary>
    public (RegionInfo Info, byte[] Caps, SafeFileHandle? File) GetRegionInfo(uint index)
    {
        uint argsz = 32;
        while (true)
        {
            Pending reply = Wait(Send(Command.DeviceGetRegionInfo, Wire.Bytes(new RegionInfo(argsz, 0, index, 0, 0, 0)), room: 16 + (int)argsz, takesFds: 1));
            reply.Error.Should().Be(Errno.None);
            RegionInfo info = WireFormat.Read<RegionInfo>(reply.Payload);
            if (info.Argsz > argsz)
            {
                reply.File?.Dispose();
                argsz = info.Argsz;
                continue;
            }
            if (info.Flags.HasFlag(RegionFlags.Caps))
                info.CapOffset.Should().BeInRange(32, info.Argsz, "anything else is EINVAL");
            return (info, reply.Payload[32..], reply.File);
        }
    }

    public Errno GetIrqInfo(uint index, out IrqInfo info)
    {
        Pending reply = Ask(Command.DeviceGetIrqInfo, Wire.Bytes(new IrqInfo(16, 0, index, 0)));
        info = reply.Error == Errno.None ? WireFormat.Read<IrqInfo>(reply.Payload) : default;
        return reply.Error;
    }

    public void Reset()
    {
        Errno errno = Ask(Command.DeviceReset, []).Error;
        if (errno != Errno.None)
            _errors.Add($"reset reply error {(int)errno}");
    }

    /// <summary>A read of the guest, or of QEMU itself in configuration space.</summary>
    public Errno Read(uint region, ulong offset, int count, out byte[] data)
    {
        Pending reply = Wait(Send(Command.RegionRead, Wire.Bytes(new RegionAccess(offset, region, (uint)count)), room: 16 + 16 + count));
        data = [];
        if (reply.Error != Errno.None)
            return reply.Error;
        uint got = WireFormat.Read<RegionAccess>(reply.Payload).Count;
        got.Should().BeLessThanOrEqualTo((uint)count, "more is E2BIG");
        data = reply.Payload[16..(16 + (int)got)];
        return Errno.None;
    }

    public T Read<T>(uint region, ulong offset)
        where T : unmanaged
    {
        Read(region, offset, Marshal.SizeOf<T>(), out byte[] data).Should().Be(Errno.None);
        return WireFormat.Read<T>(data);
    }

    /// <summary>Configuration space, which is not posted.</summary>
    public Errno WriteConfig(ulong offset, params byte[] data) => Write(Card.ConfigSpace, offset, data);

    /// <summary>What is not posted: configuration space, and all with x-no-posted-writes.</summary>
    public Errno Write(uint region, ulong offset, params byte[] data)
    {
        if (region == Card.ConfigSpace && offset == 4)
            BusMaster = (data[0] & 4) != 0;
        return Ask(Command.RegionWrite, Wire.Bytes(new RegionAccess(offset, region, (uint)data.Length), data)).Error;
    }

    /// <summary>A write of the guest to a BAR: nobody waits, and no reply must come.</summary>
    public void Post(uint region, ulong offset, params byte[] data) =>
        Out(Wire.Message(_nextId++, Command.RegionWrite, Wire.Bytes(new RegionAccess(offset, region, (uint)data.Length), data), MessageFlags.NoReply));

    /// <summary>Writes that had to wait for the socket, in one message.</summary>
    public void PostMany(params (uint Region, ulong Offset, byte[] Data)[] writes)
    {
        List<byte> payload = [.. Wire.Bytes(new RegionWriteMulti((ulong)writes.Length))];
        foreach ((uint region, ulong offset, byte[] data) in writes)
        {
            byte[] eight = new byte[8];
            data.CopyTo(eight, 0);
            payload.AddRange(Wire.Bytes(new RegionWriteMultiEntry(offset, region, (uint)data.Length, BitConverter.ToUInt64(eight))));
        }
        Out(Wire.Message(_nextId++, (Command)15, payload.ToArray(), MessageFlags.NoReply));
    }

    /// <summary>Looks whether a reply or the end came that nobody waits for, and leaves.</summary>
    public void Leave()
    {
        while (TryReceive())
        {
        }
        _pending.Should().BeEmpty();
        _incoming.Should().BeEmpty();
        Dispose();
    }

    public void Dispose() => _socket.Dispose();

    private void ValidateVersion()
    {
        Pending reply = Ask(Command.Version, Wire.Bytes(new ProtocolVersion(0, 0), [.. System.Text.Encoding.ASCII.GetBytes(Proposal), 0]));
        reply.Error.Should().Be(Errno.None);
        ProtocolVersion version = WireFormat.Read<ProtocolVersion>(reply.Payload);
        version.Should().Be(new ProtocolVersion(0, 0), "it is the only one that it speaks");
        reply.Payload[^1].Should().Be(0, "or else the reply is corrupt");
        using JsonDocument json = JsonDocument.Parse(reply.Payload.AsMemory(4, reply.Payload.Length - 5));
        foreach (JsonProperty property in json.RootElement.EnumerateObject())
            property.Name.Should().Be("capabilities", "any other is spurious");
        foreach (JsonProperty capability in json.RootElement.GetProperty("capabilities").EnumerateObject())
            Check(capability);
    }

    private static void Check(JsonProperty capability)
    {
        switch (capability.Name)
        {
            case "max_msg_fds":
                capability.Value.GetUInt64().Should().BeInRange(1, 16);
                break;
            case "max_data_xfer_size":
                capability.Value.GetUInt64().Should().BeInRange(1, 64 << 20);
                break;
            case "pgsizes" or "pgsize":
                (capability.Value.GetUInt64() % 4096).Should().Be(0);
                break;
            case "max_dma_maps":
                capability.Value.GetUInt64().Should().BeLessThanOrEqualTo(65535, "it can only be lowered");
                break;
            case "max_bitmap_size":
                capability.Value.GetUInt64().Should().BeLessThanOrEqualTo(256 << 20, "it can only be lowered");
                break;
            case "migration":
                foreach (JsonProperty inner in capability.Value.EnumerateObject())
                    Check(inner);
                break;
            case "write_multiple":
                capability.Value.GetBoolean();
                break;
            default:
                throw new ClientStuckException($"QEMU warns of spurious capabilities: {capability.Name}.");
        }
    }
}
