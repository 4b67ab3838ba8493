using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>One device, one server.</summary>
public sealed class OwnershipTests
{
    private static VfioUserServer NewServer() => VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}");

    [Fact]
    public void A_device_cannot_be_served_twice_at_a_time()
    {
        using Served served = Served.Start();
        using VfioUserServer other = NewServer();

        FluentActions.Invoking(() => other.Run(served.Device)).Should().Throw<InvalidOperationException>().WithMessage("*served already*");

        using RawClient client = served.Attach();
        client.ShouldBeServed();
    }

    [Fact]
    public void A_server_that_could_not_have_one_device_takes_another()
    {
        using Served served = Served.Start();
        using VfioUserServer other = NewServer();
        FluentActions.Invoking(() => other.Run(served.Device)).Should().Throw<InvalidOperationException>();

        Task running = other.RunAsync(new ProbeDevice());

        other.Dispose();
        running.ShouldEnd();
    }

    [Fact]
    public void A_server_cannot_serve_two_devices_at_a_time()
    {
        using Served served = Served.Start();
        ProbeDevice other = new();

        FluentActions.Invoking(() => served.Server.Run(other)).Should().Throw<InvalidOperationException>().WithMessage("*second server*");

        using Served second = Served.Start(other); // it is still free
    }

    [Fact]
    public void A_device_may_be_served_again_elsewhere()
    {
        ProbeDevice device = new();
        using (Served first = Served.Start(device))
        using (first.Attach())
        {
        }

        using Served second = Served.Start(device);
        using RawClient client = second.Attach();
        client.ShouldBeServed();
    }

    [Fact]
    public void A_server_that_was_disposed_does_not_run()
    {
        ProbeDevice device = new();
        VfioUserServer server = NewServer();
        server.Dispose();

        FluentActions.Invoking(() => server.Run(device)).Should().Throw<ObjectDisposedException>();

        using Served second = Served.Start(device);
    }

    [Fact]
    public void Declaring_while_served_throws_with_advice()
    {
        LateDevice device = new();
        using VfioUserServer server = NewServer();
        Task running = server.RunAsync(device);

        foreach (Action declaration in device.Late)
        {
            declaration.Should().Throw<InvalidOperationException>().WithMessage("*constructor*");
        }

        server.Dispose();
        running.ShouldEnd();
    }

    private sealed class LateDevice : PciDevice, IRegionHandler
    {
        public LateDevice()
            : base(new PciId(0x1B36, 0x00F4), PciClass.ProcessingAccelerator)
        {
            RequiresBusMaster = false;
            Bar bar = AddBar(0, BarKind.Memory32, 0x10000);
            Late =
            [
                () => AddBar(1, BarKind.Memory32, 0x1000),
                () => AddRom([1]),
                () => AddVga(this),
                () => AddIntx(),
                () => AddMsi(1),
                () => AddErrorIrq(),
                () => AddRequestIrq(),
                () => bar.AddMsiX(0, 1),
                () => bar.AddRegister<uint>(0),
                () => bar.AddDoorbell(0, () => { }),
                () => bar.ShareMemory(),
            ];
        }

        public IReadOnlyList<Action> Late { get; }

        public void Read(long offset, Span<byte> destination)
        {
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
        }
    }
}
