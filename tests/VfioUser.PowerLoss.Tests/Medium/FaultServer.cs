using System.Net.Sockets;

namespace VfioUser.PowerLoss.Tests.Medium;

/// <summary>An NBD server on a medium. When that loses power, every connection ends, without answers to what was under way.</summary>
internal sealed class FaultServer : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("power-");
    private readonly VolatileMedium _medium;
    private readonly int _seed;
    private readonly Lock _lock = new();
    private readonly List<Socket> _clients = [];
    private readonly List<Task> _serving = [];
    private Socket? _listener;

    public FaultServer(VolatileMedium medium, int seed)
    {
        (_medium, _seed) = (medium, seed);
        SocketPath = Path.Combine(_folder.FullName, "nbd.sock");
        Start();
    }

    public string SocketPath { get; }

    public string Address => $"nbd+unix:///disk?socket={SocketPath}";

    /// <summary>Whether it serves again at once after a cut, as a machine that boots.</summary>
    public bool ComesBack { get; init; }

    /// <summary>Serves again after a cut.</summary>
    public void Start()
    {
        Task[] ended;
        lock (_lock)
        {
            ended = [.. _serving];
            _serving.Clear();
        }
        Task.WaitAll(ended);
        File.Delete(SocketPath);
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen();
        _listener = listener;
        lock (_lock)
            _serving.Add(Task.Run(() => AcceptAsync(listener)));
    }

    public void Dispose()
    {
        Close(forGood: true);
        Task[] ended;
        lock (_lock)
            ended = [.. _serving];
        Task.WaitAll(ended);
        _folder.Delete(recursive: true);
    }

    private void Close(bool forGood)
    {
        lock (_lock)
        {
            if (forGood)
                _listener?.Dispose();
            _clients.ForEach(client => client.Dispose());
            _clients.Clear();
        }
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                Socket client = await listener.AcceptAsync();
                lock (_lock)
                {
                    _clients.Add(client);
                    _serving.Add(Task.Run(() => ServeAsync(client)));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // the power is off, or the test is over
        }
    }

    private async Task ServeAsync(Socket client)
    {
        try
        {
            await using NetworkStream stream = new(client);
            if (!await new FaultConnection(stream, _medium, new Random(_seed)).RunAsync())
                Close(forGood: !ComesBack);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // the client has gone, or the power
        }
        finally
        {
            client.Dispose();
        }
    }
}
