using System.Buffers.Binary;

namespace VfioUser.Virtio.Tests;

public sealed class InitializationTests
{
    [Fact]
    public void Driver_finds_a_modern_device_of_its_type()
    {
        using TestGuest guest = TestGuest.Attach(new VirtioEntropy());

        VirtioDriver driver = VirtioDriver.Start(guest);

        driver.Function.Id.Should().BeEquivalentTo(new { Vendor = (ushort)0x1AF4, Device = (ushort)0x1044, Revision = (byte)1 }, options => options.ExcludingMissingMembers());
        driver.Queues.Should().ContainSingle().Which.Size.Should().Be(64);
        ((VirtioEntropy)guest.Device).Features.Should().Be(driver.Features);
        ((VirtioStatus)driver.ReadStatus()).Should().Be(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk);
    }

    [Fact]
    public void Driver_from_before_the_specification_is_refused()
    {
        using TestGuest guest = TestGuest.Attach(new VirtioEntropy());

        Action start = () => VirtioDriver.Start(guest, new() { Features = ~(ulong)VirtioFeatures.Version1 });

        start.Should().Throw<TestGuestException>().WithMessage("*refuses*");
    }

    [Fact]
    public void Features_that_were_not_offered_are_refused()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice(features: 0));
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Reset();

        driver.Write(0x08, 0u);
        driver.Write(0x0C, 1u);
        driver.Write(0x08, 1u);
        driver.Write(0x0C, 1u);
        driver.Write(0x14, (byte)(VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk));

        ((VirtioStatus)driver.ReadStatus()).Should().Be(VirtioStatus.Acknowledge | VirtioStatus.Driver);
    }

    [Fact]
    public void Feature_words_beyond_the_second_are_zero_and_keep_nothing()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest);

        foreach (uint word in new[] { 2u, 3u, 0x8000_0000u, uint.MaxValue })
        {
            driver.Write(0x00, word);
            driver.Write(0x08, word);
            driver.Write(0x0C, uint.MaxValue);

            driver.Read<uint>(0x04).Should().Be(0u);
            driver.Read<uint>(0x0C).Should().Be(0u);
        }
        driver.ReadNeedsReset().Should().BeFalse();
    }

    [Fact]
    public void Queues_and_vectors_that_do_not_exist_are_none()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Reset();

        driver.Write(0x16, (ushort)2);
        driver.Read<ushort>(0x18).Should().Be(0, "a queue that is not there has no size");
        driver.Write(0x16, (ushort)1);
        driver.Write(0x1A, (ushort)3);
        driver.Write(0x10, (ushort)3);

        driver.Read<ushort>(0x1A).Should().Be(0xFFFF);
        driver.Read<ushort>(0x10).Should().Be(0xFFFF);
    }

    [Fact]
    public void Firmware_reaches_the_structures_through_configuration_space()
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        PciFunction function = guest.StartDriver();
        GuestCapability window = function.Capabilities.Single(capability => capability is { IsExtended: false, Id: 0x09 } && capability.Read<byte>(3) == 5);

        window.Write(4, (byte)0);
        window.Write(8, 0x12u);
        window.Write(12, 2u);
        window.Read<ushort>(16).Should().Be(2, "that is the number of queues");

        window.Write(8, 0x14u);
        window.Write(12, 1u);
        window.Write(16, (byte)1);
        guest.Bar0.Read<byte>(0x14).Should().Be(1, "the window writes, too");
    }

    [Theory]
    [InlineData(0u, 0u)]
    [InlineData(0x11u, 2u)]
    [InlineData(0xFFFF_FFFEu, 2u)]
    [InlineData(0xFFFEu, 4u)]
    [InlineData(0x12u, 3u)]
    public void Window_of_the_firmware_beyond_or_across_anything_reads_zeros(uint offset, uint length)
    {
        using TestGuest guest = TestGuest.Attach(new EchoDevice());
        PciFunction function = guest.StartDriver();
        GuestCapability window = function.Capabilities.Single(capability => capability is { IsExtended: false, Id: 0x09 } && capability.Read<byte>(3) == 5);

        window.Write(8, offset);
        window.Write(12, length);
        window.Write(16, 0xFFFF_FFFFu);

        window.Read<ushort>(16).Should().Be(0);
        guest.Bar0.Read<byte>(0x14).Should().Be(0);
    }

    [Fact]
    public void Changed_configuration_interrupts_and_has_another_generation()
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.ReadConfig<EchoConfig>().Generation.Should().Be(1);
        byte before = driver.Read<byte>(0x15);

        device.Config.Value = device.Config.Value with { Generation = 2, Check = ulong.MaxValue };

        driver.Interrupts[0].WaitFor(1);
        driver.ReadConfig<EchoConfig>().Should().Be(new EchoConfig { Generation = 2, Check = ulong.MaxValue });
        driver.Read<byte>(0x15).Should().NotBe(before);
    }

    [Fact]
    public void Interrupts_come_by_intx_without_message_signalled_ones()
    {
        EchoDevice device = new();
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Function.FreeIrqVectors();
        driver.Function.AllocateIrqVectors(types: PciIrqTypes.Intx);
        driver.Start();

        driver.Queues[0].Add(new VirtioPart(guest.Place([1, 2]), 2, writable: false), new VirtioPart(guest.Memory.Allocate(2), 2, writable: true));
        driver.Queues[0].Notify();

        guest.Intx.WaitFor(1);
        guest.Intx.ReadIsAsserted().Should().BeTrue();
        driver.ReadIsr().Should().Be(1);
        guest.Intx.ReadIsAsserted().Should().BeFalse("reading has cleared it");
        driver.ReadIsr().Should().Be(0);
        driver.Queues[0].TryTake(out _).Should().BeTrue();
    }

    [Fact]
    public void Random_numbers_come_from_the_entropy_device()
    {
        using TestGuest guest = TestGuest.Attach(new VirtioEntropy());
        VirtioDriver driver = VirtioDriver.Start(guest);

        byte[] first = driver.Queues[0].Request([], 64);
        byte[] second = driver.Queues[0].Request([], 10_000);

        first.Should().HaveCount(64);
        second.Should().HaveCount(4096);
        BinaryPrimitives.ReadUInt64LittleEndian(first).Should().NotBe(BinaryPrimitives.ReadUInt64LittleEndian(second));
    }
}
