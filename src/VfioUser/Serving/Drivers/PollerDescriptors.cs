using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>The descriptors that a poller waits for, in an epoll set that may have those of other pollers, too.</summary>
/// <remarks>One thread at a time, but for <see cref="Wake"/> and <see cref="Stop"/>. Makes a system call only when the set changes.</remarks>
internal abstract class PollerDescriptors : IDisposable
{
    private readonly EpollSet _set;
    private readonly int _number;
    private readonly int _listeningNumber;
    private readonly SafeHandle? _listening;
    private readonly Lock _listeningGate = new();
    private Ready _forClients;
    private bool _hasStopped;
    private Ready? _forClient; // null while it is not in the set
    private SafeHandle? _device;

    /// <param name="set">Where the descriptors are added; borrowed.</param>
    /// <param name="number">Of all of them but the listening socket.</param>
    /// <param name="listeningNumber">Of that.</param>
    /// <param name="listening">The server's socket, or null; borrowed.</param>
    protected PollerDescriptors(EpollSet set, int number, int listeningNumber, SafeHandle? listening)
    {
        _set = set;
        _number = number;
        _listeningNumber = listeningNumber;
        _listening = listening;
    }

    /// <summary>The set.</summary>
    public SafeHandle Handle => _set.Handle;

    /// <summary>Whether a client may have connected since this was set to false, which is the reader's to do: to look costs more than a
    /// command. Always true where it is not known which descriptor was ready.</summary>
    public virtual bool HasNewClients
    {
        get => true;
        set { }
    }

    /// <summary>Makes the set ready, for work that no other descriptor signals. Any thread.</summary>
    public abstract void Wake();

    /// <summary>Call it before checking for the work that <see cref="Wake"/> was for: a later one makes the set ready again.</summary>
    public abstract void ResetWake();

    /// <summary>Sets when the set becomes ready at the latest; null for no such time.</summary>
    public abstract void AwaitTime(Deadline? deadline);

    /// <summary>The run is stopped: no more clients are awaited. Any thread, before the listening socket is closed, which a
    /// service manager may have a copy of: epoll would keep it.</summary>
    public void Stop()
    {
        lock (_listeningGate)
        {
            _hasStopped = true;
            AwaitListening(Ready.None);
        }
        Wake();
    }

    /// <summary>Sets whether to wait for new clients.</summary>
    public void AwaitClients(bool accept)
    {
        Ready wanted = accept && _listening is not null ? Ready.Readable : Ready.None;
        lock (_listeningGate)
            AwaitListening(_hasStopped ? Ready.None : wanted);
    }

    /// <summary>Sets what to wait for on the client's socket; null for nothing, not even a hang-up.</summary>
    public void AwaitClient(SafeHandle client, Ready? wanted)
    {
        if (wanted == _forClient)
            return;
        if (wanted is not { } ready)
            _set.Remove(client);
        else if (_forClient is null)
            _set.Add(client, ready, _number);
        else
            _set.Change(client, ready, _number);
        _forClient = wanted;
    }

    /// <summary>Sets the descriptor that becomes readable when the device is quiesced or has released memory; null for none.</summary>
    /// <remarks>epoll itself removes a descriptor that was closed.</remarks>
    public void AwaitDevice(SafeHandle? device)
    {
        if (device == _device)
            return;
        if (_device is { IsClosed: false })
            _set.Remove(_device);
        _device = null;
        if (device is not null)
            _set.Add(device, Ready.Readable, _number);
        _device = device;
    }

    /// <summary>Removes the client's socket, before it is closed: if another process has a copy of it, epoll would keep it.</summary>
    public void Remove(SafeHandle client)
    {
        AwaitDevice(null);
        AwaitClient(client, null);
    }

    /// <summary>Removes the listening socket.</summary>
    /// <remarks>The client's was removed when it was closed.</remarks>
    public virtual void Dispose()
    {
        lock (_listeningGate)
        {
            _hasStopped = true;
            AwaitListening(Ready.None);
        }
    }

    private void AwaitListening(Ready wanted)
    {
        if (wanted == _forClients)
            return;
        if (wanted == Ready.None)
            RemoveListening();
        else
            _set.Add(_listening!, wanted, _listeningNumber);
        _forClients = wanted;
    }

    private void RemoveListening()
    {
        try
        {
            _set.Remove(_listening!);
        }
        catch (ObjectDisposedException) when (_hasStopped)
        {
            // two threads dispose the server: one has closed the socket while the other stops the run, and epoll has removed it
        }
    }
}
