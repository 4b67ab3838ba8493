using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>What a poller waits for, behind one descriptor.</summary>
/// <remarks>One thread at a time. Makes a system call only when something has changed.</remarks>
internal sealed class PollerDescriptors : IDisposable
{
    private readonly EpollSet _all = new();
    private readonly TimerFd _timer;
    private readonly SafeHandle? _listening;
    private Ready _forClients;
    private Ready? _forClient; // null while it is not in the set
    private SafeHandle? _rest;
    private Deadline? _time;
    private bool _tooFar; // to be waited for at once: the timer is set again and again

    public PollerDescriptors(SafeHandle? listening)
    {
        _listening = listening;
        try
        {
            Wakeup = new Wakeup();
            _timer = new TimerFd();
            _all.Add(Wakeup.Handle, Ready.Readable, 0);
            _all.Add(_timer.Handle, Ready.Readable, 0);
            AwaitClients(true);
        }
        catch
        {
            _all.Dispose();
            Wakeup?.Dispose();
            _timer?.Dispose();
            throw;
        }
    }

    public SafeHandle Handle => _all.Handle;

    /// <summary>For other threads, and for what was received and does not lie in the socket any more.</summary>
    public Wakeup Wakeup { get; }

    /// <summary>Whether clients may come.</summary>
    public void AwaitClients(bool come)
    {
        Ready wanted = come && _listening is not null ? Ready.Readable : Ready.None;
        if (wanted == _forClients)
            return;
        if (wanted == Ready.None)
            _all.Remove(_listening!);
        else
            _all.Add(_listening!, wanted, 0);
        _forClients = wanted;
    }

    /// <summary>What the client's socket is waited for; null for nothing, not even that it is hung up.</summary>
    public void AwaitClient(SafeHandle client, Ready? wanted)
    {
        if (wanted == _forClient)
            return;
        if (wanted is not { } ready)
            _all.Remove(client);
        else if (_forClient is null)
            _all.Add(client, ready, 0);
        else
            _all.Change(client, ready, 0);
        _forClient = wanted;
    }

    /// <summary>What tells that the device has come to rest; null for nothing.</summary>
    /// <remarks>One that was closed meanwhile has left the set by itself.</remarks>
    public void AwaitRest(SafeHandle? rest)
    {
        if (rest == _rest)
            return;
        if (_rest is { IsClosed: false })
            _all.Remove(_rest);
        _rest = null;
        if (rest is not null)
            _all.Add(rest, Ready.Readable, 0);
        _rest = rest;
    }

    /// <summary>The client goes. Before its socket is closed: somebody else may hold the connection too.</summary>
    public void Remove(SafeHandle client)
    {
        AwaitRest(null);
        AwaitClient(client, null);
    }

    /// <summary>Wakes up at a time; null for at no time.</summary>
    public void AwaitTime(Deadline? deadline)
    {
        if (deadline is { IsNever: true })
            deadline = null;
        if (deadline == _time && !_tooFar)
            return;
        _time = deadline;
        _tooFar = deadline is { IsFar: true };
        if (deadline is { } time)
            _timer.Set(time.Left);
        else
            _timer.Stop();
    }

    public void Dispose()
    {
        _all.Dispose();
        _timer.Dispose();
        Wakeup.Dispose();
    }
}
