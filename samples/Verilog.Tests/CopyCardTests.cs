using System.Numerics;
using Verilog.Guest;
using Verilog.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace Verilog.Tests;

/// <summary>The sample's hardware and its driver.</summary>
public class CopyCardTests
{
    private static readonly Iova Nowhere = new(0x7000_0000_0000);

    // far more than a test waits for
    private const int LongJob = (16 << 20) - 8;

    [VerilatorFact]
    public void Registers_take_accesses_of_every_width()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card);

        guest.Bar0.Write(CopyDriver.Source, 0x1122_3344_5566_7788ul);
        guest.Bar0.Write<byte>(CopyDriver.Source + 1, 0xAB);
        guest.Bar0.Write<ushort>(CopyDriver.Source + 6, 0xCDEF);

        guest.Bar0.Read<uint>(CopyDriver.Id).Should().Be(0x43524332);
        guest.Bar0.Read<ulong>(CopyDriver.Source).Should().Be(0xCDEF_3344_5566_AB88);
        guest.Bar0.Read<byte>(CopyDriver.Source + 4).Should().Be(0x44);
        guest.Bar0.Read<ushort>(CopyDriver.Source + 6).Should().Be(0xCDEF);
        guest.Bar0.Read<uint>(0x800).Should().Be(0, "there is no register");
    }

    [VerilatorTheory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    [InlineData(GuestMemoryKind.TwinSocket)]
    [InlineData(GuestMemoryKind.SingleSocket)]
    public void Job_copies_a_buffer_sums_it_and_interrupts(GuestMemoryKind memory)
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card, memory);
        CopyDriver driver = new(guest);

        foreach (int length in (int[])[0, 1, 7, 8, 9, 16, 333])
        {
            byte[] bytes = [.. Enumerable.Range(1, length).Select(i => (byte)(i * 7))];
            Iova destination = guest.Place(Enumerable.Repeat((byte)0xEE, length + 8).ToArray());

            uint status = driver.Run(guest.Place([.. bytes, 1, 2, 3]), destination, length);

            status.Should().Be(CopyDriver.Done);
            guest.Bar0.Read<uint>(CopyDriver.Checksum).Should().Be(Crc32c(bytes));
            guest.Memory.ReadBytes(destination, length + 8).Should().Equal([.. bytes, .. Enumerable.Repeat((byte)0xEE, 8)]);
        }
        guest.MsiX.ExpectNone();
    }

    [VerilatorFact]
    public void Interrupt_comes_only_if_the_driver_has_enabled_it()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card);
        guest.StartDriver();
        guest.Bar0.Write(CopyDriver.Source, guest.Place("abc"u8).Value);
        guest.Bar0.Write(CopyDriver.Length, 3u);

        guest.Bar0.Write(CopyDriver.Control, CopyDriver.Start);
        while (guest.Bar0.Read<uint>(CopyDriver.Status) != CopyDriver.Done)
            Thread.Yield();
        guest.MsiX.ExpectNone();
        guest.Bar0.Write(CopyDriver.Control, CopyDriver.Interrupt);

        guest.MsiX[0].Take().Should().Be(1);
    }

    [VerilatorFact]
    public void Intx_has_the_level_of_the_wire()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card);
        guest.StartDriver(PciIrqTypes.Intx);
        guest.Bar0.Write(CopyDriver.Source, guest.Place("abc"u8).Value);
        guest.Bar0.Write(CopyDriver.Length, 3u);

        guest.Bar0.Write(CopyDriver.Control, CopyDriver.Start | CopyDriver.Interrupt);
        guest.Intx.Service(() =>
        {
            guest.Intx.ReadIsAsserted().Should().BeTrue();
            guest.Bar0.Write(CopyDriver.Status, CopyDriver.Done);
        });

        guest.Intx.ReadIsAsserted().Should().BeFalse();
        guest.Intx.ExpectNone();
    }

    [VerilatorFact]
    public void Registers_answer_while_a_job_goes_on()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card, new TestGuestOptions { MemorySize = 32 << 20 });
        CopyDriver driver = new(guest);

        driver.Begin(guest.Memory.Allocate(LongJob), destination: null, LongJob);

        uint[] cycles = [.. Enumerable.Range(0, 100).Select(_ => guest.Bar0.Read<uint>(CopyDriver.Cycles))];
        cycles.Should().BeInAscendingOrder().And.OnlyHaveUniqueItems();
        guest.Bar0.Read<uint>(CopyDriver.Status).Should().Be(CopyDriver.Busy);
        guest.MsiX.ExpectNone();
    }

    [VerilatorFact]
    public void Registers_answer_while_the_hardware_waits_for_memory()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card, GuestMemoryKind.SingleSocket);
        CopyDriver driver = new(guest);
        Iova source = guest.Place("123456789"u8);

        using GuestDmaFault held = guest.Faults.HoldDma();
        driver.Begin(source, destination: null, length: 9);
        held.WaitForHits();
        guest.Bar0.Read<uint>(CopyDriver.Status).Should().Be(CopyDriver.Busy);
        guest.Bar0.Read<uint>(CopyDriver.Id).Should().Be(0x43524332);
        held.Release();

        driver.Finish().Should().Be(CopyDriver.Done);
        guest.Bar0.Read<uint>(CopyDriver.Checksum).Should().Be(0xE3069283u);
    }

    [VerilatorFact]
    public void Memory_that_is_not_there_is_a_bus_error()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card);
        CopyDriver driver = new(guest);
        Iova buffer = guest.Place("123456789"u8);

        driver.Run(Nowhere, destination: null, length: 9).Should().Be(CopyDriver.Error);
        driver.Run(buffer, Nowhere, length: 9).Should().Be(CopyDriver.Error);
        driver.Run(buffer + 1, destination: null, length: 9).Should().Be(CopyDriver.Error, "the hardware wants multiples of 8");
        driver.Run(buffer, destination: null, length: 9).Should().Be(CopyDriver.Done);
    }

    [VerilatorFact]
    public void Without_bus_mastering_memory_is_a_bus_error()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card, new TestGuestOptions { EnableBusMaster = false });
        guest.Bar0.Write(CopyDriver.Source, guest.Place("abc"u8).Value);
        guest.Bar0.Write(CopyDriver.Length, 3u);

        guest.Bar0.Write(CopyDriver.Control, CopyDriver.Start);
        uint status;
        while ((status = guest.Bar0.Read<uint>(CopyDriver.Status)) == CopyDriver.Busy)
            Thread.Yield();

        status.Should().Be(CopyDriver.Error);
    }

    [VerilatorFact]
    public void Reset_in_the_middle_of_a_job_leaves_the_hardware_as_new()
    {
        using CopyCard card = new(Models.LoadCopyCrc());
        using TestGuest guest = TestGuest.Attach(card, new TestGuestOptions { MemorySize = 32 << 20 });
        CopyDriver driver = new(guest);
        Iova buffer = guest.Memory.Allocate(LongJob);
        driver.Begin(buffer, destination: null, LongJob);
        guest.Bar0.Read<uint>(CopyDriver.Status).Should().Be(CopyDriver.Busy);

        guest.Reset();

        guest.Bar0.Read<uint>(CopyDriver.Status).Should().Be(0);
        guest.Bar0.Read<ulong>(CopyDriver.Source).Should().Be(0);
        guest.MsiX.ExpectNone();
        new CopyDriver(guest).Run(guest.Place("123456789"u8), destination: null, length: 9).Should().Be(CopyDriver.Done);
        guest.Bar0.Read<uint>(CopyDriver.Checksum).Should().Be(0xE3069283u);
    }

    [VerilatorFact]
    public void Two_cards_of_one_library_are_two_simulations()
    {
        using CopyCard one = new(Models.LoadCopyCrc());
        using CopyCard other = new(Models.LoadCopyCrc());
        using TestGuest first = TestGuest.Attach(one);
        using TestGuest second = TestGuest.Attach(other);

        first.Bar0.Write(CopyDriver.Length, 1u);
        second.Bar0.Write(CopyDriver.Length, 2u);

        first.Bar0.Read<uint>(CopyDriver.Length).Should().Be(1);
        second.Bar0.Read<uint>(CopyDriver.Length).Should().Be(2);
    }

    private static uint Crc32c(byte[] bytes) => ~bytes.Aggregate(uint.MaxValue, BitOperations.Crc32C);
}
