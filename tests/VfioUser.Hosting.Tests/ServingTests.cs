using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

public class ServingTests
{
    [Fact]
    public async Task A_device_is_made_with_services_and_served_on_its_path()
    {
        using TestHost host = new() { Wiring = new Wiring { Level = 0xC0FFEE } };
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));

        await host.StartAsync();

        using VfioUserClient client = host.Connect("card");
        Card.ReadLevel(client).Should().Be(0xC0FFEE);
        host.Running.Services.GetRequiredKeyedService<Card>(nameof(Card)).Name.Should().Be(nameof(Card));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task Devices_of_one_type_have_names_and_sockets_of_their_own(int threads)
    {
        using TestHost host = new();
        host.Services.AddSingleton(new VfioUserHostOptions { Threads = threads });
        host.Services.AddVfioUserDevice<Card>("left", options => options.SocketPath = host.PathOf("left"));
        host.Services.AddVfioUserDevice<Card>("right", options => options.SocketPath = host.PathOf("right"));

        await host.StartAsync();

        using VfioUserClient left = host.Connect("left");
        using VfioUserClient right = host.Connect("right");
        Card.ReadLevel(left).Should().Be(Card.ReadLevel(right));
        host.Running.Services.GetRequiredKeyedService<Card>("right").Name.Should().Be("right");
        await host.StopAsync();
    }

    [Fact]
    public async Task An_abstract_name_is_listened_on()
    {
        using TestHost host = new();
        string name = host.PathOf("card");
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = "@" + name);

        await host.StartAsync();

        using VfioUserClient client = VfioUserClient.Connect("@" + name);
        Card.ReadLevel(client).Should().Be(host.Wiring.Level);
        File.Exists(name).Should().BeFalse();
    }

    [Fact]
    public async Task A_keyed_service_that_is_registered_is_the_device()
    {
        using TestHost host = new();
        host.Services.AddKeyedSingleton("card", (_, _) => new Card("made by hand", new Wiring { Level = 7 }));
        host.Services.AddVfioUserDevice<Card>("card", options => options.SocketPath = host.PathOf("card"));

        await host.StartAsync();

        using VfioUserClient client = host.Connect("card");
        Card.ReadLevel(client).Should().Be(7);
    }

    [Fact]
    public void A_name_is_given_to_one_device_only()
    {
        using TestHost host = new();
        host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("card"));

        Action again = () => host.Services.AddVfioUserDevice<Card>(options => options.SocketPath = host.PathOf("other"));

        again.Should().Throw<ArgumentException>().WithMessage("*'Card'*");
    }
}
