using VfioUser.Testing;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

/// <summary>The snippets of sockets in docs/virtio.md.</summary>
public sealed class VirtioVsockTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Listener_connections_and_unix_sockets_are_of_one_device()
    {
        using VirtioVsock device = new(new() { GuestCid = 42 });
        using VsockListener listener = device.Listen(1024);
        Task serving = EchoAsync(listener);
        await using (VsockUnixSockets sockets = new(device, Path.Combine(_folder.FullName, "vsock")))
        {
            using TestGuest guest = TestGuest.Attach(device);
            VirtioDriver.Start(guest).ReadConfig<ulong>().Should().Be(42);
            await FluentActions.Awaiting(() => ConnectAsync(device)).Should().ThrowAsync<OperationCanceledException>();
        }
        listener.Dispose();
        await FluentActions.Awaiting(() => serving).Should().ThrowAsync<ObjectDisposedException>();
    }

    private static async Task EchoAsync(VsockListener listener)
    {
        while (true)
        {
            VsockStream stream = await listener.AcceptAsync(); // a program in the guest has connected to CID 2, port 1024
            _ = EchoAsync(stream);
        }
    }

    private static async Task EchoAsync(VsockStream stream)
    {
        await using (stream)
            await stream.CopyToAsync(stream);
    }

    private static async Task ConnectAsync(VirtioVsock device)
    {
        using CancellationTokenSource soon = new(TimeSpan.FromMilliseconds(50));
        await using VsockStream shell = await device.ConnectAsync(port: 22, soon.Token); // a program that listens in the guest
    }
}
