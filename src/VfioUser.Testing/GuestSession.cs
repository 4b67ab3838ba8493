using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Testing;

/// <summary>One connection of the guest: a server with the device at one end of a socket pair, a client at the other.</summary>
internal sealed class GuestSession : IGuestSession
{
    private readonly VfioUserServer _server;
    private readonly TimeSpan _timeout;
    private readonly GuestLeaks _leaks;
    private readonly GuestLog _log;

    /// <exception cref="InvalidOperationException">The device is served elsewhere.</exception>
    public GuestSession(PciDevice device, TestGuestOptions options, GuestLog log, IDmaHandler memory)
    {
        _timeout = options.Timeout;
        _log = log;
        _leaks = new GuestLeaks(device, options);
        bool byMessage = options.Memory is GuestMemoryKind.TwinSocket or GuestMemoryKind.SingleSocket;
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        _server = VfioUserServer.FromConnected(serverEnd, options.Server with
        {
            RefuseUnmodelledAccesses = options.Strict || options.Server.RefuseUnmodelledAccesses,
            TwinSocket = TwinSocketPolicy.Prefer,
            TimeProvider = options.TimeProvider ?? options.Server.TimeProvider,
            Logger = log,
            OnDeviceException = log.DeviceThrew,
        });
        Serving = Task.CompletedTask;
        try
        {
            Serving = _server.RunAsync(device);
            Client = VfioUserClient.FromConnected(clientEnd, new VfioUserClientOptions
            {
                TwinSocket = options.Memory == GuestMemoryKind.TwinSocket ? TwinSocketPolicy.Require : TwinSocketPolicy.Never,
                DmaHandler = byMessage ? memory : null,
                Timeout = options.Timeout,
            });
        }
        catch
        {
            // release the device for another guest, and report only the first failure
            clientEnd.Dispose();
            _server.Dispose();
            Serving.Wait(_timeout);
            throw;
        }
    }

    public VfioUserClient Client { get; }

    /// <summary>Completes when the server has released the device.</summary>
    public Task Serving { get; }

    /// <summary>Closes both ends and waits until the server has released the device.</summary>
    /// <returns>False on timeout.</returns>
    public bool End()
    {
        Client.Dispose();
        // wait first: the server still handles posted writes, which it would drop if it were stopped now
        bool ended = _leaks.Await(Serving, () => _log.WaitsForWorkers) && Serving.Wait(_timeout);
        _server.Dispose();
        // a worker is waited for once, and what holds memory ends with the server
        return ended || Serving.Wait(_log.WaitsForWorkers ? TimeSpan.Zero : _timeout);
    }
}
