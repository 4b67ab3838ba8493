using System.Diagnostics;
using System.Net.Sockets;

namespace VfioUser.Benchmarks;

/// <summary>A server in a process of its own, pinned to a core, and the connection to it.</summary>
internal sealed class Peer : IDisposable
{
    private readonly Process _process;
    private readonly Socket _socket;

    public Peer(string folder, string kind, int core, params string[] arguments)
    {
        string path = Path.Combine(folder, kind + ".sock");
        ProcessStartInfo start = new("taskset")
        {
            ArgumentList = { "-c", core.ToString(System.Globalization.CultureInfo.InvariantCulture), Environment.ProcessPath!, kind, path },
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _socket = Connect(path);
        _socket.SendBufferSize = _socket.ReceiveBufferSize = 1 << 20;
    }

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
