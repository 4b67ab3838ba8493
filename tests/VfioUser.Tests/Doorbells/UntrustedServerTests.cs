using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests;

/// <summary>What a client makes of replies to GET_REGION_IO_FDS that no correct server sends. The region has 0x1000 bytes.</summary>
public class UntrustedServerTests
{
    private const uint NoFd = uint.MaxValue;

    [Theory]
    [InlineData(56, 1, 1, 0x1000UL, 4UL, 0u, 0u)] // beyond the region
    [InlineData(56, 1, 1, 0xFFDUL, 4UL, 0u, 0u)]
    [InlineData(56, 1, 1, 1UL, ulong.MaxValue, 0u, 0u)]
    [InlineData(56, 1, 1, 0UL, 4UL, 1u, 0u)] // a descriptor that did not come
    [InlineData(56, 1, 0, 0UL, 4UL, 0u, 0u)]
    [InlineData(56, 1, 1, 0UL, 4UL, 0u, 2u)] // a shadow in an entry that is too small for one
    [InlineData(56, 2, 1, 0UL, 4UL, 0u, 0u)] // entries of 20 bytes
    [InlineData(96, 2, 1, 0UL, 4UL, 0u, 0u)] // more entries than came
    [InlineData(56, int.MaxValue, 1, 0UL, 4UL, 0u, 0u)]
    [InlineData(15, 0, 0, 0UL, 4UL, 0u, 0u)] // less than what came
    [InlineData(15, 1, 1, 0UL, 4UL, 0u, 0u)]
    [InlineData(int.MaxValue, 1, 1, 0UL, 4UL, 0u, 0u)] // more than may be transferred
    [InlineData(2000, 1, 1, 0UL, 4UL, 0u, 0u)] // more to come, for ever
    public void An_inconsistent_reply_is_EBADMSG(int argsz, int count, int fds, ulong offset, ulong size, uint fdIndex, uint type)
    {
        byte[] payload = new byte[56];
        WireFormat.Write(payload, new RegionIoFds((uint)argsz, 0, 0, (uint)count));
        WireFormat.Write(payload.AsSpan(16), new IoEventFd(offset, size, fdIndex, (IoFdType)type, 0, 0, 0));
        using Server server = new(payload, fds, growing: argsz == 2000);

        DeviceRegionTests.Refusal(() => server.Client.GetRegionIoFds(0)).Should().Be(Errno.EBADMSG);

        server.Client.GetDeviceInfo().RegionCount.Should().Be(9); // and the connection is as good as before
    }

    [Fact]
    public void An_entry_may_name_no_descriptor()
    {
        byte[] payload = new byte[56];
        WireFormat.Write(payload, new RegionIoFds(56, 0, 0, 1));
        WireFormat.Write(payload.AsSpan(16), new IoEventFd(8, 8, NoFd, IoFdType.IoEventFd, 0, 0, 0));
        using Server server = new(payload, fds: 0);

        using ClientIoFds ioFds = server.Client.GetRegionIoFds(0);

        ioFds.Should().ContainSingle().Which.Fd.Should().BeNull();
    }

    [Fact]
    public void Entries_may_be_larger_than_known()
    {
        byte[] payload = new byte[16 + 2 * 64];
        WireFormat.Write(payload, new RegionIoFds((uint)payload.Length, 0, 0, 2));
        WireFormat.Write(payload.AsSpan(16), new IoEventFdShadow(8, 8, 0, IoFdType.IoEventFdShadow, IoEventFdFlags.Datamatch, 1, 0x40, 3));
        WireFormat.Write(payload.AsSpan(16 + 64), new IoRegionFd(16, 8, 1, IoFdType.IoRegionFd, 0, 0, 9));
        using Server server = new(payload, fds: 2);

        using ClientIoFds ioFds = server.Client.GetRegionIoFds(0);

        ioFds[0].Should().BeEquivalentTo(new { Type = IoFdType.IoEventFdShadow, Offset = 8ul, Size = 8ul, Flags = 1u, Data = 3ul, ShadowOffset = 0x40ul });
        ioFds[1].Should().BeEquivalentTo(new { Type = IoFdType.IoRegionFd, Offset = 16ul, Size = 8ul, Flags = 0u, Data = 9ul, ShadowOffset = 0ul });
        ioFds.Select(entry => entry.Fd).Should().Equal(ioFds.Fds);
        ioFds.Select(entry => entry.ShadowFd).Should().Equal(ioFds.Fds[1], null);
    }

    private sealed class Server : IDisposable
    {
        private readonly MessageChannel _channel;
        private readonly ReplyWriter _replies;
        private readonly Thread _thread;
        private readonly byte[] _ioFds;
        private readonly EventFd[] _fds;
        private readonly bool _growing;

        public Server(byte[] ioFds, int fds, bool growing = false)
        {
            (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
            _channel = new MessageChannel(new MessageSocket(serverEnd));
            _replies = new ReplyWriter(_channel.Socket);
            _ioFds = ioFds;
            _growing = growing;
            _fds = new EventFd[fds];
            for (int i = 0; i < fds; i++)
                _fds[i] = new EventFd();
            _thread = new Thread(Run) { IsBackground = true };
            _thread.Start();
            Client = VfioUserClient.FromConnected(clientEnd, new VfioUserClientOptions { TwinSocket = TwinSocketPolicy.Never });
        }

        public VfioUserClient Client { get; }

        public void Dispose()
        {
            Client.Dispose();
            _thread.Join(Background.Timeout).Should().BeTrue("the client has gone");
            _channel.Dispose();
            Array.ForEach(_fds, fd => fd.Dispose());
        }

        private void Run()
        {
            while (_channel.ReceiveCommand(wait: true, out ReceivedMessage message) == ReceiveStatus.Received)
            {
                do
                    Answer(message);
                while (_channel.TryNextBuffered(out message));
                _replies.Flush();
            }
        }

        private void Answer(in ReceivedMessage message)
        {
            switch (message.Header.Command)
            {
                case Command.Version:
                    Answer(message.Header, VersionMessage.Format(new ProtocolVersion(0, 1), Capabilities.ServerDefaults), []);
                    break;
                case Command.DeviceGetInfo:
                    Answer(message.Header, MemoryMarshal.AsBytes([new DeviceInfo(DeviceInfo.WireSize, DeviceFlags.Pci, 9, 5)]), []);
                    break;
                case Command.DeviceGetRegionInfo:
                    Answer(message.Header, MemoryMarshal.AsBytes([new RegionInfo(RegionInfo.WireSize, RegionFlags.Read, 0, 0, 0x1000, 0)]), []);
                    break;
                default:
                    if (_growing)
                        WireFormat.Write(_ioFds, WireFormat.Read<RegionIoFds>(message.Payload).Argsz + 1);
                    Answer(message.Header, _ioFds, [.. _fds.Select(fd => (SafeHandle)fd.Handle)]);
                    break;
            }
        }

        private void Answer(in MessageHeader request, ReadOnlySpan<byte> payload, SafeHandle[] fds)
        {
            payload.CopyTo(_replies.Begin(request, payload.Length));
            _replies.End(payload.Length, fds);
        }
    }
}
