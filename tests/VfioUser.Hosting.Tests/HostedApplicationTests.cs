using Microsoft.Extensions.DependencyInjection;
using VfioUser.Hosting.Tests.Guide;
using VfioUser.Testing;
using VfioUser.Testing.Hosting;

namespace VfioUser.Hosting.Tests;

/// <summary>A program's devices in tests, from its own entry point: <see cref="ThermometerProgram"/>.</summary>
public class HostedApplicationTests
{
    private static readonly HostedApplicationOptions Options = new() { Arguments = [ThermometerProgram.Word, "kitchen", "cellar"] };

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    public async Task A_programs_devices_are_guests_with_its_own_services(GuestMemoryKind memory)
    {
        await using HostedApplication<ThermometerProgram> application = new(Options);

        using TestGuest kitchen = application.Connect("kitchen", memory);
        using TestGuest cellar = application.Connect("cellar", new TestGuestOptions { Memory = memory });

        kitchen.Bar0.Read<uint>(0x00).Should().Be(294);
        cellar.Enumerate().DeviceId.Should().Be(0x00F5);
        application.Devices.Should().Equal("cellar", "kitchen");
        application.Services.GetRequiredKeyedService<Thermometer>("kitchen").Should().NotBeNull();
    }

    [Fact]
    public async Task Services_are_replaced()
    {
        string[] args = [ThermometerProgram.Word, "kitchen"];

        await using HostedApplication<Program> application = new(new HostedApplicationOptions
        {
            Arguments = args,
            ConfigureServices = services => services.AddSingleton<ISensor>(new FixedSensor(300)),
        });

        using TestGuest guest = application.Connect("kitchen");

        Assert.Equal(300u, guest.Bar0.Read<uint>(0x00));
    }

    [Fact]
    public async Task Programs_run_beside_each_other_and_end_with_their_tests()
    {
        await using HostedApplication<ThermometerProgram> other = new(Options);
        string path;
        await using (HostedApplication<ThermometerProgram> application = new(Options with { ConfigureServices = services => services.AddSingleton<ISensor>(new FixedSensor(1)) }))
        {
            path = application.SocketOf("kitchen");
            other.SocketOf("kitchen").Should().NotBe(path);
            File.Exists(path).Should().BeTrue();
        }

        File.Exists(path).Should().BeFalse();
        using TestGuest guest = other.Connect("kitchen");
        guest.Bar0.Read<uint>(0x00).Should().Be(294);
    }

    [Fact]
    public async Task A_device_that_is_not_there_is_answered_with_those_that_are()
    {
        await using HostedApplication<ThermometerProgram> application = new(Options);

        application.Invoking(it => it.Connect("attic")).Should().Throw<ArgumentException>()
            .WithMessage("The program serves no device 'attic': there are 'cellar', 'kitchen'.*");
    }

    [Fact]
    public async Task The_programs_own_failure_is_the_tests()
    {
        await using HostedApplication<ThermometerProgram> application = new(Options with { Arguments = [ThermometerProgram.Word, "kitchen", "kitchen"] });

        Func<Task> start = application.StartAsync;

        (await start.Should().ThrowAsync<ArgumentException>()).WithMessage("There is a device 'kitchen' already.*");
    }

    [Fact]
    public async Task A_program_that_starts_no_host_says_so()
    {
        await using HostedApplication<ThermometerProgram> application = new(Options with { Arguments = [ThermometerProgram.Word] });

        Func<Task> start = application.StartAsync;

        (await start.Should().ThrowAsync<InvalidOperationException>()).WithMessage("The program ended before it had started a host.");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_exception_of_a_device_fails_the_test_that_has_not_seen_it(bool isSeen)
    {
        HostedApplication<ThermometerProgram> application = new(Options with { ConfigureServices = services => services.AddSingleton<ISensor>(new FixedSensor(null)) });
        using (TestGuest guest = application.Connect("kitchen"))
            guest.Bar0.Read<uint>(0x00).Should().Be(uint.MaxValue);
        if (isSeen)
            application.AcceptDeviceExceptions().Should().ContainSingle().Which.Exception.Should().BeOfType<InvalidOperationException>();

        Func<Task> end = async () => await application.DisposeAsync();

        if (isSeen)
            await end.Should().NotThrowAsync();
        else
            (await end.Should().ThrowAsync<TestGuestException>()).WithInnerException<InvalidOperationException>();
    }

    // any type of the assembly
    private sealed class Program;

    private sealed class FixedSensor(uint? kelvin) : ISensor
    {
        public uint Kelvin => kelvin ?? throw new InvalidOperationException("broken");
    }
}
