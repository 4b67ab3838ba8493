using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests;

/// <summary>Whole sessions of drivers that send any packets, to programs that answer: a fresh driver is served after each, and no
/// connection stays.</summary>
public sealed class VsockMutationTests
{
    private const int BuffersPerSession = 2048;
    private const uint Port = 1024;
    private const uint FirstOfHost = 1u << 30;
    private static readonly int[] ToDriver = [0, 2];
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Fact]
    public Task Thousands_of_wrong_buffers_hurt_nobody() => Run(sessions: 4);

    [Fact]
    [Trait("Category", "Long")]
    public Task An_eighth_of_a_million_wrong_buffers_hurt_nobody() => Run(sessions: (125_000 / BuffersPerSession) + 1);

    private static async Task Run(int sessions)
    {
        for (int seed = 0; seed < sessions; seed++)
        {
            Random random = new(seed);
            using VirtioVsock device = new(new() { MaxConnections = 16, BufferSize = 4096 });
            using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { MemorySize = 64 << 20 });
            List<Task> programs = [];
            VsockListener listener = device.Listen(Port);
            programs.Add(Accept(listener));
            WrongDriver driver = new(guest, random, ToDriver);

            driver.Run(BuffersPerSession, _ => Message(random, device.GuestCid), () =>
            {
                if (random.Next(16) == 0)
                    programs.Add(Connect(device, (uint)random.Next(8)));
            });

            device.Connections.Should().Be(0, "the driver of session {0} has forgotten them", seed);
            listener.Dispose();
            await Task.WhenAll(programs).WaitAsync(Limit);
            using VsockListener again = device.Listen(Port);
            VsockDriver fresh = new(guest);
            fresh.Send(VsockOperation.Request, Port, 7);
            fresh.Receive().Should().Be("Response 1024>7");
            await using VsockStream stream = await again.AcceptAsync().AsTask().WaitAsync(Limit);
            await stream.WriteAsync("hello"u8.ToArray());
            fresh.Receive().Should().Be("ReadWrite 1024>7 hello");
        }
    }

    private static byte[] Message(Random random, uint cid)
    {
        byte[] data = new byte[random.Next(4) == 0 ? random.Next(300) : 0];
        VsockHeader header = new()
        {
            SourceCid = cid,
            DestinationCid = VsockConnections.HostCid,
            SourcePort = (uint)random.Next(8),
            DestinationPort = random.Next(4) == 0 ? FirstOfHost + (uint)random.Next(32) : Port,
            DataLength = (uint)data.Length,
            Type = VsockHeader.Stream,
            // half of them data or requests, which come first
            Operation = random.Next(2) == 0 ? (VsockOperation)random.Next(1, 8) : data.Length > 0 ? VsockOperation.ReadWrite : VsockOperation.Request,
            Flags = (VsockShutdown)random.Next(4),
            BufferSize = 65_536,
        };
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<VsockHeader>(in header)), .. data];
    }

    private static async Task Accept(VsockListener listener)
    {
        List<Task> programs = [];
        try
        {
            while (true)
                programs.Add(Echo(await listener.AcceptAsync()));
        }
        catch (ObjectDisposedException)
        {
            await Task.WhenAll(programs);
        }
    }

    private static async Task Connect(VirtioVsock device, uint port)
    {
        VsockStream stream;
        try
        {
            stream = await device.ConnectAsync(port);
        }
        catch (SocketException)
        {
            return; // refused, too many, or the driver has gone
        }
        await Echo(stream);
    }

    private static async Task Echo(VsockStream stream)
    {
        await using (stream)
        {
            byte[] buffer = new byte[1024];
            try
            {
                while (await stream.ReadAsync(buffer) is > 0 and int count)
                    await stream.WriteAsync(buffer.AsMemory(0, count));
            }
            catch (IOException)
            {
                return; // the guest has reset it
            }
        }
    }
}
