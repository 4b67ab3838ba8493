using System.Diagnostics;
using System.Net.Sockets;

namespace VfioUser.Benchmarks;

/// <summary>A server in a process of its own, pinned to a core, and the connection to it.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;
    private readonly string _path;
    private readonly Socket _socket;

    /// <summary>This program, as a server of a kind.</summary>
    public Peer(string folder, string kind, int core, params string[] arguments)
        : this(Path.Combine(folder, kind + ".sock"), core, path => [Environment.ProcessPath!, kind, path, .. arguments])
    {
    }

    private Peer(string path, int core, Func<string, string[]> command)
    {
        _process = Process.Start("taskset", ["-c", core.ToString(System.Globalization.CultureInfo.InvariantCulture), .. command(path)]);
        _path = path;
        _socket = Connect(path);
        _socket.SendBufferSize = _socket.ReceiveBufferSize = 1 << 20;
    }

    /// <summary>A server of another program.</summary>
    /// <param name="command">For the shell; <c>{socket}</c> in it becomes the path of the socket to serve.</param>
    /// <param name="path">That path.</param>
    /// <param name="core">To run on.</param>
    public static Peer Other(string command, string path, int core) =>
        new(path, core, socket => ["sh", "-c", "exec " + command.Replace("{socket}", socket, StringComparison.Ordinal)]);

    public SafeSocketHandle Handle => _socket.SafeHandle;

    /// <summary>Processor time that the process has used.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    public int Socket => Bare.Raw(_socket.SafeHandle);

    /// <summary>Leaves the server to others: to each <see cref="ConnectAgain"/>, one at a time.</summary>
    public Peer Disconnected()
    {
        _socket.Dispose();
        return this;
    }

    /// <summary>A connection of its own, which the caller closes.</summary>
    public Socket ConnectAgain()
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(_path));
        return socket;
    }

    public void Dispose()
    {
        _socket.Dispose();
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static Socket Connect(string path)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(path));
                return socket;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(30))
            {
                // the process is still starting
                socket.Dispose();
                Thread.Yield();
            }
        }
    }
}
