using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>A connection to a server that is not the guest's.</summary>
internal sealed class ConnectedSession : IGuestSession
{
    public ConnectedSession(string path, TestGuestOptions options, IDmaHandler memory) => Client = VfioUserClient.Connect(path, new VfioUserClientOptions
    {
        TwinSocket = options.Memory == GuestMemoryKind.TwinSocket ? TwinSocketPolicy.Require : TwinSocketPolicy.Never,
        DmaHandler = options.Memory is GuestMemoryKind.TwinSocket or GuestMemoryKind.SingleSocket ? memory : null,
        Timeout = options.Timeout,
        ConnectTimeout = options.Timeout,
        Cancellation = options.Cancellation,
    });

    public VfioUserClient Client { get; }

    public Task Serving => Task.CompletedTask;

    public bool End()
    {
        Client.Dispose();
        return true;
    }
}
