using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Clients that come while another one is attached.</summary>
/// <remarks>
/// Each waits a moment, in case that the other one is just leaving: then it is served. Else it is told that the device is in
/// use. A few are held at a time, the others wait in the socket's queue. One thread at a time; nothing waits here.
/// </remarks>
/// <param name="run">What they would attach to.</param>
/// <param name="clients">Where they come from; borrowed.</param>
internal sealed class PendingClients(ServerRun run, IClientSource clients) : IDisposable
{
    private const int Max = 4;

    private readonly List<PendingClient> _waiting = [];

    /// <summary>Whether one more can be let in.</summary>
    public bool HasRoom => _waiting.Count < Max;

    /// <summary>Whether one can still be served.</summary>
    public bool CanTake => _waiting.Exists(client => client.TryTake() is not null);

    /// <summary>When <see cref="Process"/> has something to do; null if nobody waits.</summary>
    public Deadline? Due => _waiting.Count == 0 ? null : _waiting.MinBy(client => client.Due.Left)!.Due;

    /// <summary>Lets in who is there.</summary>
    /// <exception cref="IOException">None can be let in now, but perhaps later.</exception>
    public void Accept()
    {
        while (HasRoom && clients.TryNext() is { } socket)
            _waiting.Add(new PendingClient(socket, run.Options.BusyAfter));
    }

    /// <summary>Answers those whose time is over.</summary>
    /// <param name="attached">The socket of the client that is there; null if it is not any more.</param>
    public void Process(SafeHandle? attached) => _waiting.RemoveAll(client =>
    {
        if (client.Due.Left > TimeSpan.Zero || (IsLeaving(attached) && client.TryWaitOn()))
            return false;
        bool done = true;
        try
        {
            done = client.TryRefuse(run);
        }
        catch (Exception e) when (e is ProtocolException or IOException or SocketException)
        {
            // whatever it sends, it is not attached, and is sent away
        }
        if (done)
            client.Dispose();
        return done;
    });

    /// <summary>The device is free: the one that has waited longest is to be served, and is the caller's.</summary>
    public SafeSocketHandle? Take()
    {
        for (int i = 0; i < _waiting.Count; i++)
        {
            if (_waiting[i].TryTake() is not { } socket)
                continue;
            _waiting.RemoveAt(i);
            return socket;
        }
        return null;
    }

    private static bool IsLeaving(SafeHandle? attached)
    {
        try
        {
            return attached is null || PollCalls.HasHungUp(attached);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    public void Dispose()
    {
        _waiting.ForEach(client => client.Dispose());
        _waiting.Clear();
    }
}
