using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public class ObservingTests
{
    [Fact]
    public async Task Each_device_logs_with_a_category_of_its_own()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>("left", options => options.SocketPath = host.PathOf("left"));
        host.Services.AddVfioUserDevice<Card>("right", options => options.SocketPath = host.PathOf("right"));

        await host.StartAsync();

        host.Log.Entries.Should().Contain(entry => entry.Category == "VfioUser.Device.left" && entry.Text == $"Listening on {host.PathOf("left")}.")
            .And.Contain(entry => entry.Category == "VfioUser.Device.right" && entry.Text == $"Listening on {host.PathOf("right")}.");
    }

    [Fact]
    public async Task Devices_measure_with_the_meter_of_the_host_and_their_name()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>("card", options => options.SocketPath = host.PathOf("card"));
        IMeterFactory factory = host.Running.Services.GetRequiredService<IMeterFactory>();
        List<object?> devices = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name is "vfio_user.sessions" && instrument.Meter.Scope == factory)
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((_, _, tags, _) => devices.Add(tags[0].Value));
        listener.Start();
        await host.StartAsync();

        using VfioUserClient client = host.Connect("card");
        Card.ReadLevel(client);

        devices.Should().Equal("card");
    }
}
