using Microsoft.Extensions.DependencyInjection;

namespace VfioUser.Hosting.Tests;

public class StartFailureTests
{
    private sealed class Broken : PciDevice
    {
        public Broken()
            : base(new PciId(Vendor: 0x1B36, Device: 0x00F3), PciClass.Unclassified) => throw new IOException("its disk is not there");
    }

    [Fact]
    public async Task A_device_that_cannot_be_created_fails_the_host_and_stops_the_others()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>("good", options => options.SocketPath = host.PathOf("good"));
        host.Services.AddVfioUserDevice<Broken>("bad", options => options.SocketPath = host.PathOf("bad"));

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>())
            .WithMessage("Device 'bad' (*Broken) cannot be served: its disk is not there").WithInnerException<IOException>();
        File.Exists(host.PathOf("good")).Should().BeFalse();
    }

    [Fact]
    public async Task A_path_that_another_server_listens_on_fails_the_host()
    {
        using TestHost host = new();
        using VfioUserServer other = VfioUserServer.Bind(host.PathOf("card"));
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>())
            .WithMessage("Device 'Card' (*) cannot be served: A server is listening on*").WithInnerException<IOException>();
        File.Exists(host.PathOf("card")).Should().BeTrue();
    }

    [Fact]
    public async Task A_device_without_a_socket_fails_the_host()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = null);

        Func<Task> start = host.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>()).WithMessage("*neither SocketPath is set nor has systemd passed a socket*");
    }
}
