namespace VfioUser;

/// <summary>The client that is attached to a device, as the device sees it.</summary>
/// <remarks>Any thread. From <see cref="PciDevice.OnAttached"/> to <see cref="PciDevice.OnDetached"/>, both included, it is
/// <see cref="PciDevice.Session"/>.</remarks>
public sealed class DeviceSession
{
    private Action<string>? _disconnect;

    internal DeviceSession(PeerCredentials peer, Action<string> disconnect)
    {
        Peer = peer;
        _disconnect = disconnect;
    }

    /// <summary>The process of the client.</summary>
    public PeerCredentials Peer { get; }

    /// <summary>Disconnects the client, as if it had disconnected itself: for a device that cannot go on, such as one whose backend has
    /// died. The next client may attach.</summary>
    /// <param name="reason">For the log.</param>
    /// <remarks>Does not wait; does nothing when the client has gone. Commands that have arrived with the one being handled may still be
    /// handled. QEMU reports the loss of the device and goes on without it.</remarks>
    public void Disconnect(string reason)
    {
        ArgumentException.ThrowIfNullOrEmpty(reason);
        Interlocked.Exchange(ref _disconnect, null)?.Invoke(reason);
    }

    /// <summary>The client has gone: there is nothing to disconnect.</summary>
    internal void End() => Interlocked.Exchange(ref _disconnect, null);
}
