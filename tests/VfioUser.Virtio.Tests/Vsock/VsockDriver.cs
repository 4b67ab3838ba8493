using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Virtio.Tests;

/// <summary>A driver of a socket device.</summary>
internal sealed class VsockDriver
{
    public const uint Buffer = 64 << 10;

    private readonly ReceiveQueue _receive;

    public VsockDriver(TestGuest guest, VirtioDriverOptions? options = null, int buffers = 16)
    {
        Driver = VirtioDriver.Start(guest, options is null ? null : options with { Features = options.Features | 1 });
        _receive = new ReceiveQueue(Driver, 0, buffers, VsockHeader.Size + 4096);
        Cid = Driver.ReadConfig<ulong>();
    }

    public VirtioDriver Driver { get; }

    public ulong Cid { get; set; }

    /// <summary>The last packet's header.</summary>
    public VsockHeader Last { get; private set; }

    public VsockHeader Header(VsockOperation operation, uint host, uint guest, int length = 0) => new()
    {
        SourceCid = Cid,
        DestinationCid = 2,
        SourcePort = guest,
        DestinationPort = host,
        DataLength = (uint)length,
        Type = VsockHeader.Stream,
        Operation = operation,
        BufferSize = Buffer,
    };

    public void Send(VsockOperation operation, uint host, uint guest, ReadOnlySpan<byte> data = default) =>
        Send(Header(operation, host, guest, data.Length), data);

    public void Send(VsockHeader header, ReadOnlySpan<byte> data = default) =>
        Driver.Queues[1].Request([.. MemoryMarshal.AsBytes(new ReadOnlySpan<VsockHeader>(in header)), .. data], 0);

    /// <summary>Waits for a packet: what it is, its ports, its data.</summary>
    public string Receive()
    {
        byte[] packet = _receive.Receive();
        Last = MemoryMarshal.Read<VsockHeader>(packet);
        Last.SourceCid.Should().Be(2);
        Last.DestinationCid.Should().Be(Cid);
        Last.DataLength.Should().Be((uint)(packet.Length - VsockHeader.Size));
        string text = $"{Last.Operation} {Last.SourcePort}>{Last.DestinationPort}";
        return packet.Length == VsockHeader.Size ? text : $"{text} {Encoding.ASCII.GetString(packet.AsSpan(VsockHeader.Size))}";
    }

    /// <summary>Takes a packet, if there is one.</summary>
    public bool TryReceive() => _receive.TryReceive(out _);
}
