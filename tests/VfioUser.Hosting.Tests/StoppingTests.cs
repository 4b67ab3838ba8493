using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public class StoppingTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Stopping_quiesces_the_device_disconnects_the_client_and_removes_the_socket_file(int threads)
    {
        using TestHost host = new();
        host.Services.AddSingleton(new VfioUserHostOptions { Threads = threads });
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));
        await host.StartAsync();
        using VfioUserClient client = host.Connect("card");
        Card.ReadLevel(client);

        await host.StopAsync();

        File.Exists(host.PathOf("card")).Should().BeFalse();
        host.Wiring.Events.Should().Equal("quiesced for ClientGone", "detached");
        Action read = () => Card.ReadLevel(client);
        read.Should().Throw<Exception>();
        host.Running.Dispose();
        host.Wiring.Events.Should().EndWith("disposed");
    }

    [Fact]
    public async Task A_device_that_blocks_delays_the_host_until_its_timeout()
    {
        using ManualResetEventSlim entered = new();
        using ManualResetEventSlim leave = new();
        using TestHost host = new()
        {
            Wiring = new Wiring
            {
                Ring = () =>
                {
                    entered.Set();
                    leave.Wait();
                },
            },
        };
        host.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromMilliseconds(50));
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));
        await host.StartAsync();
        using VfioUserClient client = host.Connect("card");
        client.PostRegionWrite((uint)RegionIndex.Bar0, Card.Doorbell, [1, 0, 0, 0]);
        entered.Wait();

        await host.Running.StopAsync();

        host.Log.Entries.Should().ContainSingle(entry => entry.Event.Id == 103).Which.Level.Should().Be(LogLevel.Warning);
        File.Exists(host.PathOf("card")).Should().BeFalse();
        leave.Set();
        await TestHost.Until(() => Task.FromResult(host.Wiring.Events.Contains("detached", StringComparer.Ordinal)), "the device is free");
    }
}
