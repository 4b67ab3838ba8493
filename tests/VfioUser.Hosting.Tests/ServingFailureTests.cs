using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public class ServingFailureTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_server_that_fails_stops_the_host_which_then_fails_too(int threads)
    {
        using TestHost host = new();
        host.Services.AddSingleton(new VfioUserHostOptions { Threads = threads });
        host.Services.AddVfioUserDevice<Card>(options =>
        {
            options.SocketPath = host.PathOf("card");
            options.Server = new FailingServer().Options;
        });
        await host.StartAsync();

        FailingServer.ConnectTo(host.PathOf("card"));

        Func<Task> end = () => host.Running.WaitForShutdownAsync().WaitAsync(TimeSpan.FromMinutes(2));
        (await end.Should().ThrowAsync<InvalidOperationException>()).WithMessage("Device 'Card' cannot be served any more: *");
        host.Log.Entries.Should().Contain(entry => entry.Event.Id == 101);
    }

    [Fact]
    public async Task A_server_that_fails_is_made_again_where_the_options_say_so()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>(options =>
        {
            options.SocketPath = host.PathOf("card");
            options.Server = new FailingServer().Options;
            options.WhenServingFails = ServingFailureAction.Restart;
            options.RestartDelay = TimeSpan.Zero;
        });
        host.Services.AddHealthChecks().AddVfioUser();
        await host.StartAsync();

        FailingServer.ConnectTo(host.PathOf("card"));

        await TestHost.Until(() => Task.FromResult(host.Log.Entries.Count(entry => entry.Event.Id == 100) == 2), "it is served again");
        using VfioUserClient client = host.Connect("card");
        Card.ReadLevel(client).Should().Be(host.Wiring.Level);
        (await host.HealthAsync()).Status.Should().Be(HealthStatus.Healthy);
        await host.StopAsync();
    }

    [Fact]
    public async Task A_host_stops_while_a_device_waits_for_its_restart()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>(options =>
        {
            options.SocketPath = host.PathOf("card");
            options.Server = new FailingServer().Options;
            options.WhenServingFails = ServingFailureAction.Restart;
            options.RestartDelay = TimeSpan.FromDays(1);
        });
        host.Services.AddHealthChecks().AddVfioUser();
        await host.StartAsync();
        FailingServer.ConnectTo(host.PathOf("card"));
        await TestHost.Until(async () => (await host.HealthAsync()).Status == HealthStatus.Degraded, "it waits for its restart");

        await host.StopAsync();

        (await host.HealthAsync()).Status.Should().Be(HealthStatus.Unhealthy);
    }
}
