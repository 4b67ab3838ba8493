using System.Runtime.Versioning;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Hosting.Tests;

[SupportedOSPlatform("linux")]
public class ConfigurationTests
{
    [Fact]
    public void Every_setting_can_stand_in_the_configuration()
    {
        VfioUserDeviceOptions options = Configured(
            ("SocketPath", "/run/card"), ("WhenServingFails", "restart"), ("RestartDelay", "00:00:07"), ("OwnThread", "true"),
            ("Server:SocketMode", "0660"), ("Server:TwinSocket", "Never"), ("Server:TrustClientMemory", "true"),
            ("Server:MaxDmaMaps", "17"), ("Server:MaxDirtyBitmapMemory", "5000000000"), ("Server:DmaTimeout", "00:00:02"),
            ("Server:NegotiationTimeout", "00:01:00"), ("Server:Spin", "00:00:00.0001"), ("Server:Name", "the card"),
            ("Server:RegisterMap", "true"), ("Server:InspectionPath", "/run/card.inspect"));

        options.Should().BeEquivalentTo(new VfioUserDeviceOptions
        {
            SocketPath = "/run/card",
            WhenServingFails = ServingFailureAction.Restart,
            RestartDelay = TimeSpan.FromSeconds(7),
            OwnThread = true,
        }, compare => compare.Excluding(all => all.Server));
        options.Server.Should().Be(new VfioUserServerOptions
        {
            SocketMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.GroupWrite,
            TwinSocket = TwinSocketPolicy.Never,
            TrustClientMemory = true,
            MaxDmaMaps = 17,
            MaxDirtyBitmapMemory = 5_000_000_000,
            DmaTimeout = TimeSpan.FromSeconds(2),
            NegotiationTimeout = TimeSpan.FromMinutes(1),
            Spin = TimeSpan.FromMicroseconds(100),
            Name = "the card",
            RegisterMap = true,
            InspectionPath = "/run/card.inspect",
        });
    }

    [Fact]
    public void Options_that_are_not_configured_keep_their_values()
    {
        VfioUserDeviceOptions options = Configured(("ColourOfTheCard", "green"));

        options.Should().BeEquivalentTo(new VfioUserDeviceOptions(), compare => compare.Excluding(all => all.Server));
        options.Server.Should().Be(new VfioUserServerOptions());
    }

    [Theory]
    [InlineData("Server:SocketMode", "rw", "Card:Server:SocketMode is 'rw'; it can be: an octal mode such as 0660.")]
    [InlineData("Server:SocketMode", "1777", "Card:Server:SocketMode is '1777'*")]
    [InlineData("Server:SocketMode", "", "Card:Server:SocketMode is ''*")]
    [InlineData("Server:DmaTimeout", "5", "Card:Server:DmaTimeout is '5'; it can be: a time such as*")]
    [InlineData("Server:Spin", "-00:00:01", "Card:Server:Spin is*")]
    [InlineData("Server:MaxDmaMaps", "-1", "Card:Server:MaxDmaMaps is '-1'; it can be: a number from 0.")]
    [InlineData("Server:MaxDmaMap", "5", "Card:Server:MaxDmaMap is no setting of a server*")]
    [InlineData("Server:TwinSocket", "7", "Card:Server:TwinSocket is '7'; it can be: *Never*")]
    [InlineData("Server:InspectionPath", "", "Card:Server:InspectionPath is ''; it can be: a path, or @name*")]
    [InlineData("OwnThread", "yes", "Card:OwnThread is 'yes'; it can be: true, false.")]
    [InlineData("WhenServingFails", "panic", "Card:WhenServingFails is 'panic'; it can be: StopHost, Restart.")]
    public void A_value_that_makes_no_sense_is_named(string key, string value, string problem)
    {
        Action read = () => Configured((key, value));

        read.Should().Throw<InvalidOperationException>().WithMessage(problem);
    }

    [Fact]
    public async Task A_device_is_served_as_configured()
    {
        using TestHost host = new();
        host.Builder.Configuration.AddInMemoryCollection([new("Cards:Left:SocketPath", host.PathOf("left")), new("Cards:Left:Server:SocketMode", "0600")]);
        host.Services.AddVfioUserDevice<Card>("Left", host.Builder.Configuration.GetSection("Cards:Left"));

        await host.StartAsync();

        using VfioUserClient client = host.Connect("left");
        Card.ReadLevel(client).Should().Be(host.Wiring.Level);
        File.GetUnixFileMode(host.PathOf("left")).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    private static VfioUserDeviceOptions Configured(params (string Key, string Value)[] settings)
    {
        IConfigurationRoot configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create("Card:" + setting.Key, (string?)setting.Value))).Build();
        using ServiceProvider services = new ServiceCollection()
            .AddVfioUserDevice<Card>(configuration.GetSection("Card")).BuildServiceProvider();
        return services.GetRequiredService<IOptionsMonitor<VfioUserDeviceOptions>>().Get(nameof(Card));
    }
}
