using VfioUser.Testing;

namespace VfioUser.Tests;

public class RegisterBlockTests
{
    [Fact]
    public void Arrays_are_one_declaration_and_each_register_is_its_own()
    {
        RegisterArray<uint> table = null!;
        List<(int, uint)> writes = [];
        using TestGuest guest = Attach(bar => table = bar.AddRegisters<uint>(0x200, 128, new()
        {
            Name = "MTA",
            OnWrite = (index, write) => writes.Add((index, write.New)),
        }));

        guest.Bar0.Write(0x200 + (127 * 4), 0xCAFEu);
        guest.Registers["MTA[3]"].Write(5);

        writes.Should().Equal((127, 0xCAFEu), (3, 5u));
        table[127].Value.Should().Be(0xCAFE);
        table.Count(register => register.Value == 0).Should().Be(126);
    }

    [Fact]
    public void Arrays_with_a_stride_lie_between_each_other()
    {
        (RegisterArray<uint> head, RegisterArray<uint> tail) = (null!, null!);
        using TestGuest guest = Attach(bar =>
        {
            head = bar.AddRegisters<uint>(0x00, 4, new() { Name = "RDH", Stride = 0x40 });
            tail = bar.AddRegisters<uint>(0x08, 4, new() { Name = "RDT", Stride = 0x40, OnRead = (index, stored) => stored + (uint)index });
        });

        guest.Bar0.Write(0x88, 7u);

        tail[2].Value.Should().Be(7);
        guest.Bar0.Read<uint>(0x88).Should().Be(9);
        head.Should().OnlyContain(register => register.Value == 0);
    }

    [Fact]
    public void Fields_of_an_array_belong_to_each_register()
    {
        RegisterArray<uint> ports = null!;
        RegisterFieldArray<bool> connected = null!;
        using TestGuest guest = Attach(bar =>
        {
            ports = bar.AddRegisters<uint>(0x40, 2, new() { Name = "PORTSC", Access = RegisterAccess.ReadOnly, Stride = 0x10 });
            connected = ports.AddFlag(0, "CCS");
        });

        connected[1].Value = true;

        guest.Bar0.Read<uint>(0x40).Should().Be(0);
        guest.Bar0.Read<uint>(0x50).Should().Be(1);
        ports[1].ToString().Should().Be("PORTSC[1] = 0x00000001 (CCS)");
    }

    [Fact]
    public void Blocks_repeat_and_lie_in_blocks_with_their_names()
    {
        IReadOnlyList<Queue> queues = null!;
        using TestGuest guest = Attach(bar =>
        {
            RegisterBlock dma = bar.AddBlock(0x400, "DMA");
            queues = dma.AddBlocks(0x100, 3, 0x20, "Q", (block, index) => new Queue(block, index));
        });

        guest.Bar0.Write(0x548, 9u);

        queues[2].Tail.Value.Should().Be(9);
        queues[2].Rung.Should().Be(1);
        queues[2].Tail.Name.Should().Be("DMA.Q[2].TAIL");
        queues[2].Tail.Offset.Should().Be(0x548);
        guest.Registers["DMA.Q[0].HEAD"].Info.Offset.Should().Be(0x504);
    }

    [Fact]
    public void A_device_resets_a_block_and_leaves_sticky_bits_and_other_blocks_alone()
    {
        (Register<uint> inside, Register<uint> sticky, Register<uint> outside) = (null!, null!, null!);
        RegisterBlock port = null!;
        using TestGuest guest = Attach(bar =>
        {
            port = bar.AddBlock(0x10, "PORT");
            inside = port.AddBlock(0x20, "LANE").AddRegister<uint>(0, new() { ResetValue = 3 });
            sticky = port.AddRegister<uint>(0, new() { Sticky = 0xF0 });
            outside = bar.AddRegister<uint>(0);
        });
        inside.Value = sticky.Value = outside.Value = 0xFF;

        port.ResetRegisters();

        inside.Value.Should().Be(3);
        sticky.Value.Should().Be(0xF0);
        outside.Value.Should().Be(0xFF);
    }

    [Fact]
    public void A_mask_has_one_place_that_sets_and_one_that_clears()
    {
        Register<uint> mask = null!;
        List<(uint Old, uint New)> changes = [];
        using TestGuest guest = Attach(bar =>
        {
            mask = bar.AddRegister<uint>(0xD0, new() { Name = "IMS", Access = RegisterAccess.WriteOneToSet, OnWrite = write => changes.Add((write.Old, write.New)) });
            bar.AddView(0xD8, mask, RegisterAccess.WriteOneToClear, "IMC");
            bar.AddView(0xE0, mask, RegisterAccess.ReadOnly, "IMR");
        });

        guest.Bar0.Write(0xD0, 0xF0u);
        guest.Bar0.Write<byte>(0xD8, 0x30);
        guest.Bar0.Write(0xE0, 0xFFFFu);

        mask.Value.Should().Be(0xC0);
        guest.Bar0.Read<uint>(0xD8).Should().Be(0xC0);
        guest.Bar0.Read<uint>(0xE0).Should().Be(0xC0);
        changes.Should().Equal((0u, 0xF0u), (0xF0u, 0xC0u));
    }

    [Fact]
    public void A_partial_write_to_a_view_that_reads_as_zero_leaves_the_other_bytes_of_the_register()
    {
        Register<uint> register = null!;
        using TestGuest guest = Attach(bar =>
        {
            register = bar.AddRegister<uint>(0, new() { Name = "DATA" });
            bar.AddView(4, register, RegisterAccess.WriteOnly, "PORT");
        });
        register.Value = 0x1122_3344;

        guest.Bar0.Write<byte>(5, 0xAA);

        register.Value.Should().Be(0x1122_AA44);
        guest.Bar0.Read<uint>(4).Should().Be(0);
    }

    [Fact]
    public void A_doorbell_written_in_halves_around_a_migration_rings()
    {
        List<ulong> rung = [];
        BlankDevice Make() => new(device =>
        {
            device.AddBar(0, BarKind.Memory32, 0x1000).AddDoorbell<ulong>(0x08, rung.Add);
            device.EnableMigration();
        });
        using TestGuest guest = TestGuest.Attach(Make());
        guest.Bar0.Write(0x08, 0x5566_7788u);

        using TestGuest moved = guest.MigrateTo(Make());
        rung.Should().BeEmpty();
        moved.Bar0.Write(0x0C, 0x1122_3344u);

        rung.Should().Equal(0x1122_3344_5566_7788ul);
    }

    [Fact]
    public void A_banked_register_is_the_one_that_is_selected_and_nothing_for_a_number_that_is_none()
    {
        Register<ushort> select = null!;
        RegisterArray<ulong> addresses = null!;
        using TestGuest guest = Attach(bar =>
        {
            select = bar.AddRegister<ushort>(0x16);
            addresses = bar.AddBankedRegisters<ulong>(0x20, 2, () => select.Value, new() { Name = "QUEUE_DESC" });
        });

        guest.Bar0.Write<ushort>(0x16, 1);
        guest.Bar0.Write(0x20, 0x5000u);
        guest.Bar0.Write(0x24, 0x1u);
        guest.Bar0.Write<ushort>(0x16, 0);
        guest.Bar0.Write(0x20, 0x7000u);
        guest.Bar0.Write<ushort>(0x16, ushort.MaxValue);
        guest.Bar0.Write(0x20, ulong.MaxValue);

        guest.Bar0.Read<ulong>(0x20).Should().Be(0);
        addresses[0].Value.Should().Be(0x7000);
        addresses[1].Value.Should().Be(0x1_0000_5000);
    }

    [Theory]
    [InlineData(0, 4)]
    [InlineData(4, 0)]
    public void A_64_bit_doorbell_that_is_written_in_two_halves_rings_once_with_the_whole_value(int first, int second)
    {
        List<ulong> rung = [];
        using TestGuest guest = Attach(bar => bar.AddDoorbell<ulong>(0x04, rung.Add));
        ulong value = 0x1122_3344_5566_7788;

        guest.Bar0.Write((4 + first), (uint)(value >> (8 * first)));
        rung.Should().BeEmpty();
        guest.Bar0.Write((4 + second), (uint)(value >> (8 * second)));
        guest.Bar0.Write(4, 0x99ul);

        rung.Should().Equal(value, 0x99ul);
        guest.Bar0.Read<ulong>(4).Should().Be(0);
    }

    [Fact]
    public void A_handler_for_all_bytes_gets_the_value_from_before_the_first_byte()
    {
        List<(ulong Old, ulong New)> writes = [];
        using TestGuest guest = Attach(bar => bar.AddRegister<ulong>(0, new()
        {
            ResetValue = 5,
            WaitForAllBytes = true,
            OnWrite = write => writes.Add((write.Old, write.New)),
        }));

        for (long i = 0; i < 8; i++)
            guest.Bar0.Write(7 - i, (byte)i);

        writes.Should().Equal((5ul, 0x0001_0203_0405_0607ul));
    }

    [Fact]
    public void Constants_are_read_and_never_written()
    {
        using TestGuest guest = Attach(bar => bar.AddConstant(0x500, [1, 2, 3, 4, 5]));

        guest.Bar0.Write(0x500, ulong.MaxValue);

        guest.Bar0.Read<uint>(0x501).Should().Be(0x05040302);
    }

    [Fact]
    public void Names_are_unique_in_a_region()
    {
        BlankDevice device = new(_ => { });
        Bar bar = device.AddBar(0, BarKind.Memory32, 0x1000);
        bar.AddRegister<uint>(0, new() { Name = "CTRL" });

        bar.Invoking(b => b.AddRegister<uint>(4, new() { Name = "CTRL" })).Should().Throw<ArgumentException>().WithMessage("*CTRL*");
        bar.Invoking(b => b.AddRegister<uint>(8, new() { Name = "A B" })).Should().Throw<ArgumentException>().WithMessage("*white space*");
    }

    private static TestGuest Attach(Action<Bar> declare) =>
        TestGuest.Attach(new BlankDevice(device => declare(device.AddBar(0, BarKind.Memory32, 0x1000))));

    private sealed class Queue
    {
        public Queue(RegisterBlock block, int index)
        {
            block.AddRegister<uint>(0x04, new() { Name = "HEAD", Access = RegisterAccess.ReadOnly });
            Tail = block.AddRegister<uint>(0x08, new() { Name = "TAIL", OnWrite = _ => Rung++ });
            index.Should().BeInRange(0, 2);
        }

        public Register<uint> Tail { get; }

        public int Rung { get; private set; }
    }
}
