using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Clients.Tests;

/// <summary>
/// libvfio-user's own client side (lib/tran_sock.c and samples/client.c, efd091b). A header is one receive, and less than all
/// of it is a lost peer; what follows is waited for, as many bytes as it expects at most: fewer are a lost peer, more are
/// taken for its next reply. Behind a header with the Error bit it reads nothing. Between its own commands it answers those
/// of the device on the same socket.
/// </summary>
internal sealed class LibvfioUserClient : IDisposable
{
    /// <summary>The sample's, so that the device moves memory in small pieces.</summary>
    public const string Proposal = """{"capabilities":{"max_msg_fds":32,"max_data_xfer_size":1024}}""";

    public const int MaxTransfer = 1024;

    private const int PageSize = 4096;
    private const ulong LogStart = 6, LogStop = 7, LogReport = 8;

    private readonly ClientSocket _socket;
    private int _accessId = 0xf00f;
    private int _stateId = 0xfab1;
    private int _readId = 0x6904;
    private int _writeId = 0x2023;

    private LibvfioUserClient(ClientSocket socket) => _socket = socket;

    public string ServerCapabilities { get; private set; } = "";

    public static LibvfioUserClient Negotiate(string address)
    {
        LibvfioUserClient client = new(ClientSocket.Connect("libvfio-user's client", address));
        byte[] text = [.. System.Text.Encoding.ASCII.GetBytes(Proposal), 0];
        client._socket.Send(Wire.Message(0xda55, Command.Version, Wire.Bytes(new ProtocolVersion(0, 2), text)));
        MessageHeader header = client.ReceiveHeader(Command.Version, out FdList? fds);
        fds.Should().BeNull();
        header.Error.Should().Be(0);
        byte[] reply = client.ReceiveWhole((int)header.MessageSize - 16, "the server's capabilities");
        WireFormat.Read<ProtocolVersion>(reply).Minor.Should().BeLessThanOrEqualTo(2);
        reply[^1].Should().Be(0, "it insists on the terminator");
        client.ServerCapabilities = System.Text.Encoding.UTF8.GetString(reply.AsSpan(4, reply.Length - 5));
        return client;
    }

    public DeviceInfo GetDeviceInfo()
    {
        Ask(0xb10c, Command.DeviceGetInfo, Wire.Bytes(new DeviceInfo(16, 0, 0, 0)), 16, out byte[] reply).Should().Be(Errno.None);
        DeviceInfo info = WireFormat.Read<DeviceInfo>(reply);
        info.RegionCount.Should().Be(9, "the sample ends if there are more or fewer");
        return info;
    }

    /// <summary>Asked once for the size and once for all; the second message is as long as the answer.</summary>
    public (RegionInfo Info, SparseMmapArea[] Areas, SafeFileHandle? File) GetRegionInfo(uint index)
    {
        Ask(0xabcd, Command.DeviceGetRegionInfo, Wire.Bytes(new RegionInfo(32, 0, index, 0, 0, 0)), 32, out byte[] reply).Should().Be(Errno.None);
        RegionInfo info = WireFormat.Read<RegionInfo>(reply);
        if (info.Argsz <= 32)
            return (info, [], null);
        int argsz = (int)info.Argsz;
        byte[] payload = [.. Wire.Bytes(new RegionInfo(info.Argsz, 0, index, 0, 0, 0)), .. new byte[argsz - 32]];
        Ask(0xabcd, Command.DeviceGetRegionInfo, payload, argsz, out reply, out FdList? fds).Should().Be(Errno.None);
        info = WireFormat.Read<RegionInfo>(reply);
        info.Argsz.Should().Be((uint)argsz);
        WireFormat.Read<RegionCapHeader>(reply.AsSpan(32)).Id.Should().Be(RegionCapId.SparseMmap, "the sample ends at any other");
        fds!.Count.Should().Be(1);
        return (info, MemoryMarshal.Cast<byte, SparseMmapArea>(reply.AsSpan(48)).ToArray(), fds.Take(0));
    }

    public void Reset() => Ask(1, Command.DeviceReset, [], 0, out _).Should().Be(Errno.None);

    public Errno Read(uint region, ulong offset, int count, out byte[] data)
    {
        Errno errno = Ask((ushort)_accessId--, Command.RegionRead, Wire.Bytes(new RegionAccess(offset, region, (uint)count)), 16 + count, out byte[] reply);
        data = errno == Errno.None ? reply[16..] : [];
        if (errno == Errno.None)
            WireFormat.Read<RegionAccess>(reply).Count.Should().Be((uint)count);
        return errno;
    }

    public Errno Write(uint region, ulong offset, params byte[] data)
    {
        Errno errno = Ask((ushort)_accessId--, Command.RegionWrite, Wire.Bytes(new RegionAccess(offset, region, (uint)data.Length), data), 16, out byte[] reply);
        if (errno == Errno.None)
            WireFormat.Read<RegionAccess>(reply).Count.Should().Be((uint)data.Length);
        return errno;
    }

    /// <summary>Pages of one file, each a region of its own and each with the descriptor.</summary>
    public void MapPages(SafeFileHandle file, int first, int count)
    {
        for (int i = 0; i < count; i++)
            Map((ushort)(0x1234 + i), file, (ulong)((first + i) * PageSize), PageSize).Should().Be(Errno.None);
    }

    public Errno Map(ushort id, SafeFileHandle file, ulong address, ulong size) => Ask(id, Command.DmaMap,
        Wire.Bytes(new DmaMap(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, address, address, size)), 0, out _, out _, file);

    /// <summary>Memory that is reached by messages only.</summary>
    public Errno MapWithoutFile(ulong address, ulong size) => Ask(0x1234, Command.DmaMap,
        Wire.Bytes(new DmaMap(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, address, size)), 0, out _);

    public Errno Unmap(ulong address, ulong size, DmaUnmapFlags flags = 0) =>
        Ask(flags == 0 ? (ushort)7 : (ushort)8, Command.DmaUnmap, Wire.Bytes(new DmaUnmap(24, flags, address, size)), 24, out _);

    /// <summary>All kinds are asked for, and INTx gets an eventfd, which the caller owns.</summary>
    public EventFd ConfigureIrqs()
    {
        for (uint index = 0; index < 5; index++)
            GetIrqInfo(index).Should().Be(Errno.None);
        EventFd intx = new();
        Ask(0x1bae, Command.DeviceSetIrqs, Wire.Bytes(new IrqSet(20, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, 0, 0, 1)), 0, out _, out _, intx.Handle)
            .Should().Be(Errno.None);
        return intx;
    }

    public Errno GetIrqInfo(uint index) => Ask(0x1bad, Command.DeviceGetIrqInfo, Wire.Bytes(new IrqInfo(16, 0, index, 0)), 16, out _);

    public void StartLogging() => Log(LogStart);

    /// <summary>Which says a page size, too, and wants it back.</summary>
    public void StopLogging() => Log(LogStop);

    /// <summary>The bitmap of one page: eight bytes.</summary>
    public Errno GetDirtyBitmap(int page, out byte[] bitmap)
    {
        byte[] payload = [.. Wire.Bytes(new DeviceFeature(8 + 24 + 8, (DeviceFeatureFlags)LogReport | DeviceFeatureFlags.Get)),
            .. Wire.Bytes(new DmaLoggingReport((ulong)(page * PageSize), PageSize, PageSize))];
        Errno errno = Ask(0x99, Command.DeviceFeature, payload, 8 + 24 + 8, out byte[] reply);
        bitmap = errno == Errno.None ? reply[32..] : [];
        return errno;
    }

    /// <summary>The answer must repeat the question, the descriptor of -1 included.</summary>
    public Errno SetState(MigrationState state)
    {
        byte[] payload = [.. Wire.Bytes(new DeviceFeature(16, (DeviceFeatureFlags)DeviceFeatureId.MigDeviceState | DeviceFeatureFlags.Set)),
            .. Wire.Bytes(new MigrationDeviceState(state, uint.MaxValue))];
        Errno errno = Ask((ushort)_stateId--, Command.DeviceFeature, payload, 16, out byte[] reply);
        if (errno == Errno.None)
            reply.Should().Equal(payload);
        return errno;
    }

    /// <summary>Reads the stream to its end, at most as much at a time as it proposed.</summary>
    public byte[] ReadStream()
    {
        List<byte> stream = [];
        while (true)
        {
            Ask((ushort)_readId--, Command.MigDataRead, Wire.Bytes(new MigrationData(8 + MaxTransfer, MaxTransfer)), 8 + MaxTransfer, out byte[] reply)
                .Should().Be(Errno.None);
            int size = (int)WireFormat.Read<MigrationData>(reply).Size;
            if (size == 0)
                return [.. stream];
            stream.AddRange(reply.AsSpan(8, size));
        }
    }

    public void WriteStream(byte[] stream)
    {
        foreach (byte[] piece in stream.Chunk(MaxTransfer))
        {
            Ask((ushort)_writeId--, Command.MigDataWrite, Wire.Bytes(new MigrationData(8 + (uint)piece.Length, (uint)piece.Length), piece), 8, out _)
                .Should().Be(Errno.None);
        }
    }

    /// <summary>Waits for a DMA_WRITE, and carries it out on a file.</summary>
    public DmaAccess HandleDmaWrite(SafeFileHandle file)
    {
        (ushort id, DmaAccess access) = ReceiveCommand(Command.DmaWrite);
        byte[] data = new byte[access.Count];
        FdList? fds = null;
        _socket.Receive(data, "the data of a DMA_WRITE", ref fds).Should().Be(data.Length, "it reads once");
        RandomAccess.Write(file, data, (long)access.Address);
        _socket.Send(Wire.Header(id, Command.DmaWrite, 16, MessageFlags.Reply), Wire.Bytes(access));
        return access;
    }

    /// <summary>Waits for a DMA_READ, and answers it from a file.</summary>
    public DmaAccess HandleDmaRead(SafeFileHandle file)
    {
        (ushort id, DmaAccess access) = ReceiveCommand(Command.DmaRead);
        byte[] data = Memory.Read(file, access.Address, (int)access.Count);
        _socket.Send(Wire.Header(id, Command.DmaRead, 16 + data.Length, MessageFlags.Reply), [.. Wire.Bytes(access), .. data]);
        return access;
    }

    /// <summary>What no version of the protocol has.</summary>
    public Errno Unknown() => Ask(0x77, (Command)999, new byte[12], 12, out _);

    public void Leave()
    {
        _socket.ShouldBeDrained();
        Dispose();
    }

    public void Dispose() => _socket.Dispose();

    private void Log(ulong feature)
    {
        byte[] payload = [.. Wire.Bytes(new DeviceFeature(8 + 16, (DeviceFeatureFlags)feature | DeviceFeatureFlags.Set)),
            .. Wire.Bytes(new DmaLoggingControl(PageSize, 0, 0))];
        Ask(0, Command.DeviceFeature, payload, payload.Length, out _).Should().Be(Errno.None);
    }

    private (ushort Id, DmaAccess Access) ReceiveCommand(Command command)
    {
        byte[] bytes = new byte[16];
        FdList? fds = null;
        _socket.Receive(bytes, $"a {command}", ref fds).Should().Be(16, "less is a lost peer");
        MessageHeader header = Wire.HeaderOf(bytes);
        (header.Command, header.IsCommand).Should().Be((command, true));
        return (header.MessageId, WireFormat.Read<DmaAccess>(ReceiveWhole(16, $"a {command}")));
    }

    private Errno Ask(ushort id, Command command, byte[] payload, int expected, out byte[] reply)
    {
        Errno errno = Ask(id, command, payload, expected, out reply, out FdList? fds);
        fds?.Dispose(); // it leaves them open
        return errno;
    }

    private Errno Ask(ushort id, Command command, byte[] payload, int expected, out byte[] reply, out FdList? received, params ReadOnlySpan<SafeHandle> fds)
    {
        _socket.Send(Wire.Header(id, command, payload.Length), payload, fds);
        MessageHeader header = ReceiveHeader(command, out received);
        header.MessageId.Should().Be(id, "anything else is EPROTO: it takes {0} for the reply", header);
        header.IsReply.Should().BeTrue();
        reply = [];
        if (header.Flags.HasFlag(MessageFlags.Error))
            return header.Error is > 0 and <= 4096 ? (Errno)header.Error : Errno.EINVAL;
        int follows = (int)header.MessageSize - 16;
        if (expected > 0 && follows > 0)
        {
            reply = ReceiveWhole(Math.Min(follows, expected), $"the reply to {command}");
            reply.Length.Should().Be(expected, "fewer bytes in a reply to {0} are a lost peer", command);
        }
        return Errno.None; // what more there is, is left where it is
    }

    private MessageHeader ReceiveHeader(Command command, out FdList? fds)
    {
        byte[] bytes = new byte[16];
        fds = null;
        _socket.Receive(bytes, $"the reply to {command}", ref fds).Should().Be(16, "less is a lost peer");
        return Wire.HeaderOf(bytes);
    }

    private byte[] ReceiveWhole(int count, string why)
    {
        byte[] bytes = new byte[count];
        FdList? fds = null;
        _socket.Receive(bytes, why, ref fds, Libc.MsgWaitAll).Should().Be(count, "less is a lost peer");
        return bytes;
    }
}
