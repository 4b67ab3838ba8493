using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors that a poller waits for, combined in one epoll descriptor.</summary>
/// <remarks>One thread at a time. Makes a system call only when the set changes.</remarks>
internal sealed class PollerDescriptors : IDisposable
{
    private readonly EpollSet _all = new();
    private readonly TimerFd _timer;
    private readonly SafeHandle? _listening;
    private Ready _forClients;
    private Ready? _forClient; // null while it is not in the set
    private SafeHandle? _device;
    private Deadline? _time;
    private bool _tooFar; // beyond the timer's range: the timer is set again with each call

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

    /// <summary>Signalled by other threads, and for work that no other descriptor signals.</summary>
    public Wakeup Wakeup { get; }

    /// <summary>Sets whether to wait for new clients.</summary>
    public void AwaitClients(bool accept)
    {
        Ready wanted = accept && _listening is not null ? Ready.Readable : Ready.None;
        if (wanted == _forClients)
            return;
        if (wanted == Ready.None)
            _all.Remove(_listening!);
        else
            _all.Add(_listening!, wanted, 0);
        _forClients = wanted;
    }

    /// <summary>Sets what to wait for on the client's socket; null for nothing, not even a hang-up.</summary>
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

    /// <summary>Sets the descriptor that becomes readable when the device is quiesced or has released memory; null for none.</summary>
    /// <remarks>epoll itself removes a descriptor that was closed.</remarks>
    public void AwaitDevice(SafeHandle? device)
    {
        if (device == _device)
            return;
        if (_device is { IsClosed: false })
            _all.Remove(_device);
        _device = null;
        if (device is not null)
            _all.Add(device, Ready.Readable, 0);
        _device = device;
    }

    /// <summary>Removes the client's socket, before it is closed: if another process has a copy of it, epoll would keep it.</summary>
    public void Remove(SafeHandle client)
    {
        AwaitDevice(null);
        AwaitClient(client, null);
    }

    /// <summary>Sets when the descriptor becomes readable at the latest; null for no such time.</summary>
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
