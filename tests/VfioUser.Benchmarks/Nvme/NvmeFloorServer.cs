using System.Net.Sockets;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>The floor's process: gets memory and eventfds over a socket, and copies.</summary>
internal static class NvmeFloorServer
{
    public static void Run(string path)
    {
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        Console.WriteLine("ready");
        using Socket client = listener.Accept();
        int socket = Bare.Raw(client.SafeHandle);
        byte[] disk = new byte[NvmeServer.DiskSize];
        disk.AsSpan().Fill(1);
        SharedMemory memory = SharedMemory.Map(Receive(socket), 0, NvmeServer.Queues * (ulong)NvmeFloorRing.Size);
        for (int i = 0; i < NvmeServer.Queues; i++)
        {
            NvmeFloorRing ring = new(memory, (ulong)i * NvmeFloorRing.Size, new EventFd(Receive(socket)), new EventFd(Receive(socket)));
            new Thread(() => ring.Serve(disk)) { IsBackground = true }.Start();
        }
        Console.WriteLine("mapped");
        Console.ReadLine();
    }

    /// <summary>The client's side of it.</summary>
    public static IReadOnlyList<ILoadQueue> Connect(string path)
    {
        using Socket server = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        server.Connect(new UnixDomainSocketEndPoint(path));
        int socket = Bare.Raw(server.SafeHandle);
        SharedMemory memory = SharedMemory.Create(NvmeServer.Queues * (ulong)NvmeFloorRing.Size);
        Send(socket, memory.File);
        List<ILoadQueue> rings = [];
        for (int i = 0; i < NvmeServer.Queues; i++)
        {
            (EventFd toServer, EventFd toClient) = (new EventFd(), new EventFd());
            Send(socket, toServer.Handle);
            Send(socket, toClient.Handle);
            rings.Add(new NvmeFloorRing(memory, (ulong)i * NvmeFloorRing.Size, toServer, toClient));
        }
        return rings;
    }

    private static void Send(int socket, SafeFileHandle file) => Bare.Send(socket, [1], (int)file.DangerousGetHandle());

    private static SafeFileHandle Receive(int socket)
    {
        Span<byte> one = stackalloc byte[1];
        return Bare.ReceiveWithFd(socket, one, out int fd) == 1 && fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true)
            : throw new EndOfStreamException();
    }
}
