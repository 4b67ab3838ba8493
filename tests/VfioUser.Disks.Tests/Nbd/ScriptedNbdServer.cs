using System.Net;
using System.Net.Sockets;

namespace VfioUser.Disks.Tests.Nbd;

/// <summary>An NBD server on a socket of its own, with a script for each connection in turn; the last one is for all later ones.</summary>
internal sealed class ScriptedNbdServer : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nbd-");
    private readonly Socket _listener;
    private readonly Func<NbdPeer, Task>[] _scripts;
    private readonly List<Socket> _clients = [];
    private int _connections;

    public ScriptedNbdServer(params Func<NbdPeer, Task>[] scripts)
        : this(null, scripts)
    {
    }

    // null for a UNIX socket
    private ScriptedNbdServer(string? host, Func<NbdPeer, Task>[] scripts)
    {
        _scripts = scripts;
        string path = Path.Combine(_folder.FullName, "nbd.sock");
        EndPoint endPoint = host is null ? new UnixDomainSocketEndPoint(path) : new IPEndPoint(IPAddress.Loopback, 0);
        _listener = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(endPoint);
        _listener.Listen();
        Address = host is null ? $"nbd+unix:///disk?socket={path}" : $"nbd://{host}:{((IPEndPoint)_listener.LocalEndPoint!).Port}/disk";
        _ = Accept();
    }

    /// <summary>A server on a TCP port.</summary>
    /// <param name="host">As in its address.</param>
    /// <param name="scripts">One for each connection.</param>
    public static ScriptedNbdServer OverTcp(string host, params Func<NbdPeer, Task>[] scripts) => new(host, scripts);

    public string Address { get; }

    public int Connections => Volatile.Read(ref _connections);

    public void Dispose()
    {
        _listener.Dispose();
        lock (_clients)
            _clients.ForEach(client => client.Dispose());
        _folder.Delete(recursive: true);
    }

    /// <summary>Stays connected and says nothing.</summary>
    public static Task Forever(NbdPeer _) => Task.Delay(Timeout.Infinite);

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                Socket client = await _listener.AcceptAsync();
                lock (_clients)
                    _clients.Add(client);
                Func<NbdPeer, Task> script = _scripts[Math.Min(Interlocked.Increment(ref _connections), _scripts.Length) - 1];
                _ = Play(script, client);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the test is over
        }
    }

    // closes the connection at the script's end
    private static async Task Play(Func<NbdPeer, Task> script, Socket client)
    {
        using NetworkStream stream = new(client, ownsSocket: true);
        try
        {
            await script(new NbdPeer(stream));
        }
        catch (IOException)
        {
            // the client has gone
        }
    }
}
