using System.Globalization;
using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Hosting;

/// <summary>The sockets that systemd has passed to this process, until devices claim them. One thread.</summary>
/// <remarks>See <c>sd_listen_fds(3)</c>.</remarks>
internal sealed class ListenFds : IDisposable
{
    private const string Pid = "LISTEN_PID";
    private const string Count = "LISTEN_FDS";
    private const string Names = "LISTEN_FDNAMES";
    private const int FirstFd = 3;

    private readonly List<(string Name, SafeSocketHandle Socket)> _sockets = [];

    private ListenFds()
    {
    }

    /// <summary>The names of sockets that no device has claimed.</summary>
    public IEnumerable<string> Unclaimed => _sockets.Select(socket => socket.Name);

    /// <summary>Takes over the descriptors, once, and hides them and their variables from programs that this process starts.</summary>
    /// <exception cref="IOException">One is not open.</exception>
    public static ListenFds Take()
    {
        string? pid = TakeVariable(Pid);
        string? count = TakeVariable(Count);
        string[] names = TakeVariable(Names)?.Split(':') ?? [];
        _ = TakeVariable("LISTEN_PIDFDID");
        ListenFds taken = new();
        // the variables may be inherited, and mean another process
        if (!int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id != Environment.ProcessId
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out int sockets))
        {
            return taken;
        }
        try
        {
            for (int i = 0; i < sockets; i++)
                taken.Add(i < names.Length ? names[i] : "unknown", FirstFd + i);
            return taken;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    /// <summary>Takes the first socket of a name; null if there is none.</summary>
    public SafeSocketHandle? Claim(string name) => ClaimAt(_sockets.FindIndex(socket => string.Equals(socket.Name, name, StringComparison.Ordinal)));

    /// <summary>Takes the first socket, whatever its name; null if there is none.</summary>
    public SafeSocketHandle? ClaimFirst() => ClaimAt(_sockets.Count == 0 ? -1 : 0);

    /// <summary>Closes the sockets that no device has claimed.</summary>
    public void Dispose()
    {
        _sockets.ForEach(socket => socket.Socket.Dispose());
        _sockets.Clear();
    }

    private void Add(string name, int fd)
    {
        SafeSocketHandle socket = new(fd, ownsHandle: true);
        try
        {
            ListeningCalls.SetCloseOnExec(socket);
        }
        catch (IOException e)
        {
            socket.SetHandleAsInvalid();
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"{Count} includes descriptor {fd}, which is not open."), e);
        }
        _sockets.Add((name, socket));
    }

    private SafeSocketHandle? ClaimAt(int index)
    {
        if (index < 0)
            return null;
        SafeSocketHandle socket = _sockets[index].Socket;
        _sockets.RemoveAt(index);
        return socket;
    }

    private static string? TakeVariable(string name)
    {
        string? value = Environment.GetEnvironmentVariable(name);
        Environment.SetEnvironmentVariable(name, null);
        return value;
    }
}
