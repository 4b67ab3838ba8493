namespace VfioUser;

/// <summary>Why a client is not connected any more.</summary>
public enum DisconnectReason
{
    /// <summary>It closed the connection, or its process has ended.</summary>
    ClientClosed,

    /// <summary>It proposed nothing that the server accepts, or not in time: <see cref="VfioUserServerOptions.NegotiationTimeout"/>.</summary>
    NegotiationFailed,

    /// <summary>It sent bytes that are not a valid message.</summary>
    ProtocolViolation,

    /// <summary>The device disconnected it: <see cref="DeviceSession.Disconnect"/>.</summary>
    DeviceRequested,

    /// <summary>The server stops serving the device.</summary>
    ServerStopped,

    /// <summary>A system call of the server failed: see <see cref="DevicePoller.LastError"/> and
    /// <see cref="HostedDevice.LastError"/>.</summary>
    ServerFailed,
}
