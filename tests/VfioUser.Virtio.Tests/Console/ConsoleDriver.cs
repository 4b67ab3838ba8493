using System.Buffers.Binary;
using System.Text;

namespace VfioUser.Virtio.Tests;

/// <summary>A driver of a console with ports.</summary>
internal sealed class ConsoleDriver
{
    private readonly ReceiveQueue _control;
    private readonly Dictionary<int, ReceiveQueue> _receiving = [];

    public ConsoleDriver(TestGuest guest, VirtioDriverOptions? options = null)
    {
        Driver = VirtioDriver.Start(guest, Options(options));
        _control = new ReceiveQueue(Driver, 2);
    }

    public VirtioDriver Driver { get; }

    // those of the type, too
    public static VirtioDriverOptions Options(VirtioDriverOptions? options) =>
        options is null ? new VirtioDriverOptions() : options with { Features = options.Features | 7 };

    /// <summary>Sends a control message.</summary>
    public void Tell(uint port, ushort about, ushort value)
    {
        byte[] message = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(message, port);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(4), about);
        BinaryPrimitives.WriteUInt16LittleEndian(message.AsSpan(6), value);
        Driver.Queues[3].Request(message, 0);
    }

    /// <summary>Waits for a control message: "port.event=value", and what follows it.</summary>
    public string Hear()
    {
        byte[] message = _control.Receive();
        string text = $"{BinaryPrimitives.ReadUInt32LittleEndian(message)}.{BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(4))}"
            + $"={BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(6))}";
        return message.Length == 8 ? text : $"{text} {(message.AsSpan(8).IndexOfAnyExceptInRange((byte)' ', (byte)'~') < 0
            ? Encoding.ASCII.GetString(message.AsSpan(8)) : Convert.ToHexString(message.AsSpan(8)))}";
    }

    /// <summary>Takes the console and one port, as Linux does.</summary>
    public void TakePorts()
    {
        Tell(0, 0, 1);
        Hear().Should().Be("0.1=1");
        Hear().Should().Be("1.1=1");
        Tell(0, 3, 1);
        Hear().Should().Be("0.4=1");
        Hear().Should().Be("0.6=1");
        Hear().Should().Be("0.5=1 50001900");
        Tell(1, 3, 1);
        Hear().Should().Be("1.7=1 echo");
        Hear().Should().Be("1.6=1");
    }

    public ushort Send(int port, ReadOnlySpan<byte> data)
    {
        VirtioDriverQueue queue = Driver.Queues[QueueOf(port) + 1];
        ushort id = queue.Add(new VirtioPart(Driver.Guest.Place(data), data.Length, writable: false));
        queue.Notify();
        return id;
    }

    public byte[] Receive(int port, int count)
    {
        if (!_receiving.TryGetValue(port, out ReceiveQueue? receiving))
            _receiving[port] = receiving = new ReceiveQueue(Driver, QueueOf(port), length: 64);
        return receiving.Receive(count);
    }

    public static int QueueOf(int port) => port == 0 ? 0 : 2 + 2 * port;
}
