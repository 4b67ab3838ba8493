using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public class HealthTests
{
    [Fact]
    public async Task Devices_that_are_served_are_healthy_and_say_how_far_they_are()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>("left", options => options.SocketPath = host.PathOf("left"));
        host.Services.AddVfioUserDevice<Card>("right", options => options.SocketPath = host.PathOf("right"));
        host.Services.AddHealthChecks().AddVfioUser();
        await host.StartAsync();
        using VfioUserClient client = host.Connect("right");
        Card.ReadLevel(client);

        HealthReportEntry health = await host.HealthAsync();

        health.Status.Should().Be(HealthStatus.Healthy);
        health.Data["left"].Should().Be($"Listening on {host.PathOf("left")}");
        health.Data["right"].Should().Be($"Attached on {host.PathOf("right")}, process {Environment.ProcessId}");
    }

    [Fact]
    public async Task Before_the_start_and_after_the_stop_the_check_fails_as_its_author_said()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));
        host.Services.AddHealthChecks().AddVfioUser(failureStatus: HealthStatus.Degraded);

        HealthReportEntry before = await host.HealthAsync();
        await host.StartAsync();
        HealthReportEntry meanwhile = await host.HealthAsync();
        await host.StopAsync();
        HealthReportEntry after = await host.HealthAsync();

        (before.Status, meanwhile.Status, after.Status).Should().Be((HealthStatus.Degraded, HealthStatus.Healthy, HealthStatus.Degraded));
    }

    [Fact]
    public async Task A_host_without_devices_is_healthy()
    {
        using TestHost host = new();
        host.Services.AddHealthChecks().AddVfioUser();

        HealthReportEntry health = await (await host.StartAsync()).HealthAsync();

        health.Status.Should().Be(HealthStatus.Healthy);
    }
}
