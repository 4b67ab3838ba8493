using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol.Interop;
using VfioUser.Tests.Serving;

namespace VfioUser.Limits.Tests;

/// <summary>A client comes while the process has no descriptor left, because a client of another server made it hold so many.</summary>
internal static class AcceptingScenario
{
    public static void Run()
    {
        CapturedLog log = new();
        using VfioUserServer server = VfioUserServer.BindAbstract($"vfio-user-limits-{Guid.NewGuid():N}", new VfioUserServerOptions { Logger = log, BusyAfter = Background.Timeout });
        Task running = server.RunAsync(new Card());
        VfioUserClient first = VfioUserClient.Connect(server.Address);
        // the server holds a few while the first one is there; then one is in the queue
        List<SafeSocketHandle> held = [.. Enumerable.Range(0, 4).Select(_ => Connect(server.Address))];
        SafeSocketHandle waiting = Connect(server.Address);
        ulong before = Limits.Descriptors;

        Limits.Descriptors = 3;
        first.Dispose();
        held.ForEach(socket => socket.Dispose());
        SpinWait.SpinUntil(() => log.Has(CapturedLog.CannotAccept) || running.IsCompleted, Background.Timeout);
        Limits.Descriptors = before;

        log.Has(CapturedLog.CannotAccept).Should().BeTrue();
        running.IsCompleted.Should().BeFalse("the shortage is not for ever");
        using VfioUserClient second = VfioUserClient.FromConnected(waiting);
        second.ResetDevice();
    }

    private static SafeSocketHandle Connect(string address)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint("\0" + address[1..]));
        return SocketCalls.Duplicate(socket.SafeHandle);
    }

    private sealed class Card() : PciDevice(new PciId(0x1B36, 0x00F3), PciClass.ProcessingAccelerator);
}
