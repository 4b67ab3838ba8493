using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests.Guide;

// What docs/hosting.md shows stands here word for word, and runs.
public sealed class GuideSnippets : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-guide-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task One_device_is_served()
    {
        string[] args = [];
        string socket = Path.Combine(_folder.FullName, "thermometer.sock");

        HostApplicationBuilder builder = Host.CreateApplicationBuilder(args);
        builder.Services.AddSystemd();
        builder.Services.AddSingleton<ISensor, RoomSensor>();
        builder.Services.AddVfioUserDevice<Thermometer>(options => options.SocketPath = socket);
        builder.Services.AddHealthChecks().AddVfioUser();
        IHost host = builder.Build();

        using (host)
        {
            await host.StartAsync();
            Temperature(socket).Should().Be(294);
            await host.StopAsync();
        }
    }

    [Fact]
    public async Task Devices_of_a_configuration_are_served()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Configuration.AddInMemoryCollection([
            new("Thermometers:kitchen:SocketPath", PathOf("kitchen")), new("Thermometers:cellar:SocketPath", PathOf("cellar"))]);
        builder.Services.AddSingleton<ISensor, RoomSensor>();

        foreach (IConfigurationSection section in builder.Configuration.GetSection("Thermometers").GetChildren())
            builder.Services.AddVfioUserDevice<Thermometer>(section.Key, section);

        await Runs(builder, "kitchen", "cellar");
    }

    [Fact]
    public async Task A_device_of_a_factory_is_served()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        string socket = PathOf("attic");

        builder.Services.AddKeyedSingleton("attic", (_, _) => new Thermometer(new RoomSensor()));
        builder.Services.AddVfioUserDevice<Thermometer>("attic", options => options.SocketPath = socket);

        await Runs(builder, "attic");
    }

    [Fact]
    public async Task Policies_of_an_example_reach_the_server()
    {
        HostApplicationBuilder builder = Host.CreateEmptyApplicationBuilder(settings: null);
        builder.Services.AddSingleton<ISensor, RoomSensor>();
        string socket = PathOf("kitchen");

        builder.Services.AddVfioUserDevice<Thermometer>("kitchen", options =>
        {
            options.SocketPath = socket;
            options.Server = options.Server with { DmaTimeout = TimeSpan.FromSeconds(2) };
            options.WhenServingFails = ServingFailureAction.Restart;
            options.RestartDelay = TimeSpan.FromSeconds(5);
        });
        builder.Services.AddSingleton(new VfioUserHostOptions { Threads = Environment.ProcessorCount });
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(10));

        await Runs(builder, "kitchen");
        using ServiceProvider services = builder.Services.BuildServiceProvider();
        VfioUserDeviceOptions kitchen = services.GetRequiredService<IOptionsMonitor<VfioUserDeviceOptions>>().Get("kitchen");
        kitchen.Server.DmaTimeout.Should().Be(TimeSpan.FromSeconds(2));
        kitchen.WhenServingFails.Should().Be(ServingFailureAction.Restart);
    }

    private async Task Runs(HostApplicationBuilder builder, params string[] names)
    {
        using IHost host = builder.Build();
        await host.StartAsync();
        foreach (string name in names)
            Temperature(PathOf(name)).Should().Be(294, "{0} is served where it was told", name);
        await host.StopAsync();
    }

    private static uint Temperature(string socket)
    {
        using VfioUserClient client = VfioUserClient.Connect(socket);
        Span<byte> value = stackalloc byte[sizeof(uint)];
        client.ReadRegion((uint)RegionIndex.Bar0, 0, value);
        return BitConverter.ToUInt32(value);
    }

    private string PathOf(string name) => Path.Combine(_folder.FullName, name);
}

public interface ISensor
{
    uint Kelvin { get; }
}

public sealed class RoomSensor : ISensor
{
    public uint Kelvin => 294;
}

public sealed class Thermometer : PciDevice
{
    public Thermometer(ISensor sensor)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F5), PciClass.Unclassified)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        bar0.AddRegister<uint>(0x00, new RegisterOptions<uint> { Access = RegisterAccess.ReadOnly, OnRead = _ => sensor.Kelvin });
    }
}
