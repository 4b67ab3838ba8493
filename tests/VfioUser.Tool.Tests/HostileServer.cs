using System.Net.Sockets;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

/// <summary>How a server lets its client wait.</summary>
public enum Stall
{
    /// <summary>Its queue is full, and nobody is accepted.</summary>
    AcceptsNobody,

    /// <summary>It accepts, and neither reads nor speaks.</summary>
    Silent,

    /// <summary>It answers VERSION, and then nothing.</summary>
    SilentAfterVersion,

    /// <summary>It answers a byte now and a byte then.</summary>
    Trickles,

    /// <summary>It answers VERSION, and reads nothing more.</summary>
    StopsReading,

    /// <summary>It answers VERSION, and sends commands for ever.</summary>
    FloodsCommands,

    /// <summary>It answers VERSION, and sends replies for ever.</summary>
    FloodsReplies,
}

/// <summary>A server that is no use to anybody.</summary>
internal sealed class HostileServer : IDisposable
{
    private static readonly TimeSpan BetweenBytes = TimeSpan.FromMilliseconds(20);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Socket> _queued = [];
    private readonly ManualResetEventSlim _over = new();
    private readonly Stall _stall;
    private readonly Thread? _thread;
    private Socket? _client;

    public HostileServer(Stall stall)
    {
        _stall = stall;
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        if (stall == Stall.AcceptsNobody)
        {
            _listener.Listen(0);
            FillQueue();
            return;
        }
        _listener.Listen();
        _thread = new Thread(Run) { IsBackground = true };
        _thread.Start();
    }

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"vfio-user-hostile-{Guid.NewGuid():n}.sock");

    public void Dispose()
    {
        _over.Set();
        _listener.Dispose();
        Volatile.Read(ref _client)?.Dispose();
        _thread?.Join();
        foreach (Socket queued in _queued)
            queued.Dispose();
        _over.Dispose();
        File.Delete(Path);
    }

    private void FillQueue()
    {
        while (true)
        {
            Socket waiting = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
            _queued.Add(waiting);
            try
            {
                waiting.Connect(new UnixDomainSocketEndPoint(Path));
            }
            catch (SocketException)
            {
                // full
                return;
            }
        }
    }

    private void Run()
    {
        try
        {
            while (!_over.IsSet)
            {
                using Socket client = _listener.Accept();
                Volatile.Write(ref _client, client);
                Serve(client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the end
            return;
        }
    }

    private void Serve(Socket client)
    {
        try
        {
            if (_stall == Stall.Silent)
                _over.Wait();
            byte[] request = new byte[4096];
            client.Receive(request);
            MessageHeader version = WireFormat.Read<MessageHeader>(request);
            byte[] reply = FakeServer.Reply(version, VersionMessage.Format(new ProtocolVersion(0, 1), Capabilities.Unspecified));
            if (_stall == Stall.Trickles)
            {
                for (int i = 0; !_over.Wait(BetweenBytes); i++)
                    client.Send(reply.AsSpan(Math.Min(i, reply.Length - 2), 1)); // the last one never comes
            }
            client.Send(reply);
            switch (_stall)
            {
                case Stall.SilentAfterVersion:
                    while (client.Receive(request) > 0)
                        continue;
                    break;
                case Stall.StopsReading:
                    _over.Wait();
                    break;
                case Stall.FloodsCommands:
                    Flood(client, new MessageHeader(7, Command.DmaRead, 32, MessageFlags.Command, 0));
                    break;
                case Stall.FloodsReplies:
                    Flood(client, new MessageHeader(0x7777, Command.RegionRead, 32, MessageFlags.Reply, 0));
                    break;
            }
        }
        catch (SocketException)
        {
            // the client has left
            return;
        }
    }

    private void Flood(Socket client, MessageHeader header)
    {
        byte[] messages = [.. Enumerable.Repeat((byte[])[.. FakeServer.Bytes(header), .. FakeServer.Bytes(new DmaAccess(0, 4))], 1000).SelectMany(message => message)];
        while (!_over.IsSet)
            client.Send(messages);
    }
}
