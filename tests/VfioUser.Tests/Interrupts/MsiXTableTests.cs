using VfioUser.Testing;

namespace VfioUser.Tests;

public class MsiXTableTests
{
    [Fact]
    public void Every_entry_is_zero_and_masked_at_first()
    {
        using var guest = TestGuest.Attach(new IrqDevice());

        for (long entry = 0; entry < 3; entry++)
        {
            guest.Bar0.Read<ulong>(IrqDevice.TableOffset + entry * 16).Should().Be(0);
            guest.Bar0.Read<ulong>(IrqDevice.TableOffset + entry * 16 + 8).Should().Be(0x1_0000_0000);
        }
        guest.Bar0.Read<ulong>(IrqDevice.TableOffset + 3 * 16).Should().Be(0, "the table ends there");
    }

    [Fact]
    public void Table_keeps_guest_writes_of_any_width_until_the_reset()
    {
        using var guest = TestGuest.Attach(new IrqDevice());

        guest.Bar0.Write(IrqDevice.TableOffset + 16, 0xFEE0_0000ul);
        guest.Bar0.Write(IrqDevice.TableOffset + 24, 0x4021u);
        guest.Bar0.Write(IrqDevice.TableOffset + 28, (byte)0);

        byte[] entry = new byte[16];
        guest.Bar0.Read(IrqDevice.TableOffset + 16, entry);
        entry.Should().Equal(0, 0, 0xE0, 0xFE, 0, 0, 0, 0, 0x21, 0x40, 0, 0, 0, 0, 0, 0);
        guest.Reset();
        guest.Bar0.Read(IrqDevice.TableOffset + 16, entry);
        entry.Should().Equal(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
    }

    [Fact]
    public void The_pending_bits_show_vectors_that_were_triggered_while_masked()
    {
        IrqDevice device = new(msiX: 11);
        using var guest = TestGuest.Attach(device);
        guest.MsiX[0].Mask();
        guest.MsiX[9].Mask();
        guest.MsiX[10].Mask();

        device.MsiX[0].Trigger();
        device.MsiX[1].Trigger();
        device.MsiX[9].Trigger();

        guest.Bar0.Read<ulong>(IrqDevice.PendingOffset).Should().Be(0x201);
        guest.Bar0.Read<byte>(IrqDevice.PendingOffset + 1).Should().Be(2);
        guest.MsiX[0].Unmask();
        guest.Bar0.Read<ulong>(IrqDevice.PendingOffset).Should().Be(0x200);
    }

    [Fact]
    public void Device_can_have_a_table_of_its_own()
    {
        List<long> written = [];
        IrqVectors? vectors = null;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
        {
            Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000, (_, bytes) => bytes.Fill(0x11), (offset, _) => written.Add(offset));
            vectors = bar.AddMsiX(0x100, vectors: 2, new() { OwnTable = true, PendingOffset = 0x200 });
            bar.AddRegister<uint>(0x10C, new() { ResetValue = 1 });
        }));
        PciFunction driver = guest.StartDriver(PciIrqTypes.MsiX);

        guest.Bar0.Write(0x100, 0xFEE0_0000u);
        guest.Bar0.Write(0x10C, 0u);
        vectors![1].Trigger().Should().BeTrue();

        written.Should().Equal(0x100);
        guest.Bar0.Read<uint>(0x10C).Should().Be(0);
        guest.Bar0.Read<ulong>(0x200).Should().Be(0x1111_1111_1111_1111, "so are the pending bits");
        driver.FindCapability(0x11)!.Read<uint>(4).Should().Be(0x100);
        driver.FindCapability(0x11)!.Read<uint>(8).Should().Be(0x200);
        driver.Interrupts!.TakeAll().Should().Equal(0, 1);
    }

    [Fact]
    public void The_pending_bits_cannot_be_written()
    {
        IrqDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.MsiX[2].Mask();
        device.MsiX[2].Trigger();

        guest.Bar0.Write(IrqDevice.PendingOffset, ulong.MaxValue);
        guest.Bar0.Read<ulong>(IrqDevice.PendingOffset).Should().Be(4);
        guest.Bar0.Write(IrqDevice.PendingOffset, 0ul);

        guest.Bar0.Read<ulong>(IrqDevice.PendingOffset).Should().Be(4);
    }

    [Fact]
    public void The_pending_bits_of_all_2048_vectors_lie_behind_the_table()
    {
        IrqDevice device = new(msiX: 2048);
        using var guest = TestGuest.Attach(device);
        guest.MsiX[2047].Mask();

        device.MsiX[2047].Trigger();

        byte[] pending = new byte[256];
        guest.Bar0.Read(IrqDevice.TableOffset + 2048 * 16, pending);
        pending[..255].Should().OnlyContain(bits => bits == 0);
        pending[255].Should().Be(0x80);
        guest.Bar0.Read<ulong>(IrqDevice.TableOffset + 2047 * 16 + 8).Should().Be(0x1_0000_0000);
    }

    [Theory]
    [InlineData(0x0FF8u, 1, null)]
    [InlineData(0x0FF0u, 1, null)]
    [InlineData(0x1000u, 1, null)]
    [InlineData(0xFFFF_FFF8u, 1, null)]
    [InlineData(0x0000u, 4, 0x38u)]
    [InlineData(0x0000u, 4, 0x1000u)]
    [InlineData(0x0004u, 1, null)]
    [InlineData(0x0000u, 0, null)]
    [InlineData(0x0000u, 2049, null)]
    public void A_table_that_does_not_fit_throws(uint offset, int vectors, uint? pending)
    {
        BlankDevice device = new();
        Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);

        bar.Invoking(it => it.AddMsiX(offset, vectors, pending)).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Io_space_holds_no_table_and_a_device_has_one()
    {
        BlankDevice device = new();
        Bar io = device.AddBar(0, BarKind.Io, 0x100);
        Bar memory = device.AddBar(1, BarKind.Memory32, 0x1000);

        io.Invoking(it => it.AddMsiX(0, 1)).Should().Throw<ArgumentException>().WithMessage("*I/O space*memory*");
        memory.AddMsiX(0, 1).Count.Should().Be(1);
        memory.Invoking(it => it.AddMsiX(0x800, 1)).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void The_pending_bits_may_lie_in_another_bar()
    {
        IrqVectors irqs = null!;
        BlankDevice device = new(it =>
        {
            Bar pending = it.AddBar(4, BarKind.Memory32, 0x1000);
            irqs = it.AddBar(2, BarKind.Memory32, 0x1000).AddMsiX(0x40, vectors: 3, new MsiXOptions { PendingBar = pending });
        });
        using var guest = TestGuest.Attach(device);
        guest.MsiX[1].Mask();

        irqs[1].Trigger();

        guest.Bar4.Read<ulong>(0).Should().Be(0b010);
        guest.Bar2.Read<ulong>(0x40 + 3 * 16).Should().Be(0, "only the table is there");
        long capability = device.Config.MsiX!.Offset;
        guest.Config.Read<uint>(capability + 4).Should().Be(0x42, "offset and BAR of the table");
        guest.Config.Read<uint>(capability + 8).Should().Be(0x04, "offset and BAR of the pending bits");
    }

    [Fact]
    public void The_capabilities_may_be_placed()
    {
        BlankDevice device = new(it =>
        {
            it.AddMsi(2, capabilityOffset: 0xA0);
            it.AddBar(0, BarKind.Memory32, 0x1000).AddMsiX(0, 1, new MsiXOptions { PendingOffset = 0x800, CapabilityOffset = 0x60 });
        });

        device.Config.Msi!.Offset.Should().Be(0xA0);
        device.Config.MsiX!.Offset.Should().Be(0x60);
        device.Config.Read<uint>(0x60 + 8).Should().Be(0x800);
    }

    [Fact]
    public void The_pending_bits_do_not_lie_in_another_devices_bar()
    {
        Bar foreign = new BlankDevice().AddBar(0, BarKind.Memory32, 0x1000);
        Bar own = new BlankDevice().AddBar(1, BarKind.Memory32, 0x1000);

        own.Invoking(it => it.AddMsiX(0, 1, new MsiXOptions { PendingBar = foreign })).Should().Throw<ArgumentException>().WithMessage("*another device*");
    }
}
