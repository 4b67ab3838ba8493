using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>The floor: receives and sends what a device's server has to, and does nothing else.</summary>
internal static class FloorServer
{
    private const int MapLength = 4096;

    public static void Run(string path)
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using Socket client = listener.Accept();
        client.SendBufferSize = client.ReceiveBufferSize = 1 << 20;
        int socket = Bare.Raw(client.SafeHandle);
        byte[] buffer = GC.AllocateArray<byte>(2 << 20, pinned: true);
        Span<byte> planBytes = stackalloc byte[Marshal.SizeOf<FloorPlan>()];
        try
        {
            while (true)
            {
                int received = Bare.ReceiveWithFd(socket, planBytes, out int fd);
                if (received <= 0)
                    return;
                Follow(socket, MemoryMarshal.Read<FloorPlan>(planBytes), buffer, fd);
            }
        }
        catch (EndOfStreamException)
        {
            // the client has seen enough
        }
    }

    private static void Pause(int nanoseconds)
    {
        long end = Stopwatch.GetTimestamp() + nanoseconds * Stopwatch.Frequency / 1_000_000_000;
        while (Stopwatch.GetTimestamp() < end)
        {
            // sleeping takes longer
        }
    }

    private static void Follow(int socket, FloorPlan plan, byte[] buffer, int fd)
    {
        ReadOnlySpan<byte> reply = buffer.AsSpan(0, plan.ReplyBytes);
        switch (plan.Mode)
        {
            case FloorMode.PingPong:
                TimeSpan spin = TimeSpan.FromMicroseconds(plan.SpinMicroseconds);
                for (int i = 0; i < plan.Rounds; i++)
                {
                    for (int got = 0; got < plan.RequestBytes;)
                        got += Positive(Bare.Receive(socket, buffer.AsSpan(got), spin));
                    if (plan.PauseNanoseconds > 0)
                        Pause(plan.PauseNanoseconds);
                    Bare.Send(socket, reply);
                }
                break;
            case FloorMode.Answer:
                for (int i = 0; i < plan.Rounds; i++)
                {
                    for (int got = 0; got < plan.RequestBytes;)
                        got += Positive(Bare.Receive(socket, buffer.AsSpan(got)));
                    MessageHeader request = WireFormat.Read<MessageHeader>(buffer);
                    WireFormat.Write(buffer, new MessageHeader(request.MessageId, request.Command, (uint)plan.ReplyBytes, MessageFlags.Reply, 0));
                    Bare.Send(socket, reply);
                }
                break;
            case FloorMode.Sink:
                for (long left = (long)plan.RequestBytes * plan.Rounds; left > 0;)
                    left -= Positive(Bare.Receive(socket, buffer.AsSpan(0, 64 << 10)));
                Bare.Send(socket, reply);
                break;
            case FloorMode.Signal:
                for (int i = 0; i < plan.Rounds; i++)
                {
                    Positive(Bare.Receive(socket, buffer));
                    Bare.SignalEvent(fd);
                }
                Bare.Close(fd);
                break;
            case FloorMode.Map:
                for (int i = 0; i < plan.Rounds; i++)
                    MapAndUnmap(socket, buffer, reply);
                break;
            case FloorMode.Take:
                for (int i = 0; i < plan.Rounds; i++)
                    TakeAndAnswer(socket, buffer, reply);
                break;
        }
    }

    private static void MapAndUnmap(int socket, byte[] buffer, ReadOnlySpan<byte> reply)
    {
        Positive(Bare.ReceiveWithFd(socket, buffer, out int file));
        nint mapped = Bare.Map(file, MapLength);
        Bare.Close(file);
        Bare.Send(socket, reply[..MessageHeader.WireSize]);
        Positive(Bare.Receive(socket, buffer));
        Bare.Unmap(mapped, MapLength);
        Bare.Send(socket, reply);
    }

    private static void TakeAndAnswer(int socket, byte[] buffer, ReadOnlySpan<byte> reply)
    {
        Positive(Bare.ReceiveWithFd(socket, buffer, out int file));
        Bare.Close(file);
        Bare.Send(socket, reply[..MessageHeader.WireSize]);
        Positive(Bare.Receive(socket, buffer));
        Bare.Send(socket, reply);
    }

    private static int Positive(int received) => received > 0 ? received : throw new EndOfStreamException();
}
