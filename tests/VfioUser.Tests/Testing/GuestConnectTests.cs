using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>A guest that is connected to a server, and has no object of the device.</summary>
public sealed class GuestConnectTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("vfio-user-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public async Task A_driver_works_as_with_an_attached_device(GuestMemoryKind memory)
    {
        await using VfioUserServer server = Serve(new Adder(), "card.sock");
        using TestGuest guest = TestGuest.Connect(Path.Combine(_folder, "card.sock"), memory);
        guest.StartDriver();
        Iova buffer = guest.Place([1, 2, 3]);

        guest.Bar0.Write(0x00, buffer.Value);
        guest.Bar0.Write(0x08, 1u);

        guest.MsiX[0].WaitForNext();
        guest.Memory.Read<byte>(buffer).Should().Be(6);
    }

    [Fact]
    public async Task A_guest_reconnects_with_its_memory()
    {
        await using VfioUserServer server = Serve(new Adder(), "card.sock");
        using TestGuest guest = TestGuest.Connect(Path.Combine(_folder, "card.sock"));
        Iova buffer = guest.Place([1, 2, 3]);
        guest.Bar0.Write(0x00, buffer.Value);

        guest.Faults.Disconnect(DisconnectPoint.InHeader);
        guest.Reconnect();
        guest.Bar0.Write(0x08, 1u);

        guest.MsiX[0].WaitForNext();
        guest.Memory.Read<byte>(buffer).Should().Be(6);
    }

    [Fact]
    public async Task A_guest_migrates_to_another_server()
    {
        await using VfioUserServer first = Serve(new Adder(), "first.sock");
        await using VfioUserServer second = Serve(new Adder(), "second.sock");
        using TestGuest source = TestGuest.Connect(Path.Combine(_folder, "first.sock"));
        Iova buffer = source.Place([1, 2, 3]);
        source.Bar0.Write(0x00, buffer.Value);

        using TestGuest target = source.MigrateTo(Path.Combine(_folder, "second.sock"));
        target.Bar0.Write(0x08, 1u);

        target.MsiX[0].WaitForNext();
        target.Memory.Read<byte>(buffer).Should().Be(6);
        source.Migration.GetState().Should().Be(MigrationState.Stop);
    }

    [Fact]
    public async Task A_refusal_has_no_log_to_show()
    {
        await using VfioUserServer server = Serve(new Adder(), "card.sock");
        using TestGuest guest = TestGuest.Connect(Path.Combine(_folder, "card.sock"));

        guest.Bar0.Invoking(bar => bar.Read<uint>(0x1000)).Should().Throw<Client.VfioUserException>().Which.Errno.Should().Be(Errno.EINVAL);
    }

    [Fact]
    public async Task Members_that_need_the_device_name_the_server()
    {
        await using VfioUserServer server = Serve(new Adder(), "card.sock");
        using TestGuest guest = TestGuest.Connect(Path.Combine(_folder, "card.sock"));

        guest.Invoking(it => it.Device).Should().Throw<InvalidOperationException>().WithMessage("*card.sock*");
        guest.Invoking(it => it.Registers).Should().Throw<InvalidOperationException>().WithMessage("*card.sock*");
    }

    [Fact]
    public void A_server_that_is_not_there_is_an_io_error() =>
        FluentActions.Invoking(() => TestGuest.Connect(Path.Combine(_folder, "none.sock"))).Should().Throw<IOException>().WithMessage("*none.sock*no such file*");

    private VfioUserServer Serve(PciDevice device, string name)
    {
        VfioUserServer server = VfioUserServer.Bind(Path.Combine(_folder, name));
        _ = server.RunAsync(device);
        return server;
    }

    /// <summary>Replaces the first of three bytes of guest memory by their sum.</summary>
    private sealed class Adder : PciDevice
    {
        public Adder()
            : base(new PciId(0x1B36, 0x0002), PciClass.ProcessingAccelerator)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000);
            Irq done = bar.AddMsiX(offset: 0x800, vectors: 1)[0];
            Register<ulong> address = bar.AddRegister<ulong>(0x00);
            bar.AddDoorbell(0x08, () =>
            {
                byte[] bytes = new byte[3];
                Dma.TryRead(new Iova(address.Value), bytes);
                Dma.TryWrite(new Iova(address.Value), (byte)bytes.Sum(value => value));
                done.Trigger();
            });
            EnableMigration();
        }
    }
}
