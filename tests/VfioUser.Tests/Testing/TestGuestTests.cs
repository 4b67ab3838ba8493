using VfioUser.Testing;

namespace VfioUser.Tests;

public class TestGuestTests
{
    private readonly BlankDevice _device;
    private Register<uint> _register = null!;
    private IrqVectors _msi = null!;

    public TestGuestTests()
    {
        _device = new BlankDevice(device =>
        {
            _register = device.AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0);
            _msi = device.AddMsi(2);
        });
    }

    [Fact]
    public void A_device_keeps_its_state_from_guest_to_guest()
    {
        for (uint i = 0; i < 5; i++)
        {
            using var guest = TestGuest.Attach(_device);
            guest.Bar0.Read<uint>(0).Should().Be(i);
            guest.Bar0.Write(0, i + 1);
        }

        _register.Value.Should().Be(5);
    }

    [Fact]
    public void The_device_is_notified_of_every_guest_that_attaches_and_disconnects()
    {
        List<string> heard = [];
        _device.WhenAttached = () => heard.Add("attached");
        _device.WhenDetached = () => heard.Add("detached");

        for (int i = 0; i < 2; i++)
        {
            using var guest = TestGuest.Attach(_device);
            guest.Device.Should().BeSameAs(_device);
        }

        heard.Should().Equal("attached", "detached", "attached", "detached");
    }

    [Fact]
    public void Two_guests_have_a_device_each()
    {
        TestGuestTests other = new();
        using var first = TestGuest.Attach(_device);
        using var second = TestGuest.Attach(other._device, GuestMemoryKind.TwinSocket);

        Iova here = first.Place("first"u8);
        Iova there = second.Place("other"u8);
        first.Bar0.Write(0, 1u);
        second.Bar0.Write(0, 2u);
        _msi[0].Trigger();

        here.Should().Be(there, "each has its own memory");
        _device.Dma.TryRead(here, out byte one).Should().BeTrue();
        other._device.Dma.TryRead(there, out byte two).Should().BeTrue();
        (one, two).Should().Be(((byte)'f', (byte)'o'));
        (_register.Value, other._register.Value).Should().Be((1u, 2u));
        (first.Msi[0].Count, second.Msi[0].Count).Should().Be((1, 0));
    }

    [Fact]
    public void A_second_guest_for_the_same_device_is_refused_and_the_first_one_stays()
    {
        using var guest = TestGuest.Attach(_device);

        FluentActions.Invoking(() => TestGuest.Attach(_device)).Should().Throw<InvalidOperationException>();

        guest.Bar0.Write(0, 3u);
        _register.Value.Should().Be(3);
    }

    [Fact]
    public void A_guest_that_could_not_be_attached_leaves_the_device_free()
    {
        _device.WhenMapped = _ => throw new FormatException();
        FluentActions.Invoking(() => TestGuest.Attach(_device)).Should().Throw<Client.VfioUserException>().WithInnerException<FormatException>();
        _device.WhenMapped = null;

        using var guest = TestGuest.Attach(_device);

        guest.Bar0.Read<uint>(0).Should().Be(0);
    }

    [Theory]
    [ClassData(typeof(EachWay))]
    public void The_guests_memory_is_accessed_in_the_configured_way(GuestMemoryKind way)
    {
        TestGuestOptions options = new() { Memory = way, MemorySize = 0x10000, MemoryAddress = new Iova(0x8000_0000) };
        using var guest = TestGuest.Attach(_device, options);

        guest.Options.Should().BeSameAs(options);
        guest.Memory.Kind.Should().Be(way);
        guest.Memory.Address.Should().Be(new Iova(0x8000_0000));
        guest.Memory.Size.Should().Be(0x10000);
        guest.Client.HasTwinSocket.Should().Be(way == GuestMemoryKind.TwinSocket);
        guest.Memory.Write(new Iova(0x8000_FFFC), 0xCAFE_F00Du);
        _device.Dma.TryRead(new Iova(0x8000_FFFC), out uint value).Should().BeTrue();
        value.Should().Be(0xCAFE_F00D);
        _device.Dma.TryWrite(new Iova(0x8000_0000), 0x1234u).Should().BeTrue();
        guest.Memory.Read<uint>(new Iova(0x8000_0000)).Should().Be(0x1234);
        _device.Dma.TryRead(new Iova(0x8001_0000), out byte _).Should().BeFalse();
        _device.Dma.Regions.Should().ContainSingle();
    }

    [Fact]
    public void Allocations_are_distinct_pages()
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { MemorySize = 0x4000 });

        Iova first = guest.Memory.Allocate(1);
        Iova second = guest.Memory.Allocate(0x1001);
        Iova third = guest.Place("x"u8);

        first.Should().Be(guest.Memory.Address);
        second.Should().Be(first + 0x1000);
        third.Should().Be(first + 0x3000);
        guest.Memory.Read<byte>(third).Should().Be((byte)'x');
        foreach (ulong length in new ulong[] { 0, 1, ulong.MaxValue - 100, ulong.MaxValue })
        {
            guest.Memory.Invoking(memory => memory.Allocate(length)).Should().Throw<InvalidOperationException>()
                .WithMessage("*16384*0 are left*");
        }
    }

    [Fact]
    public void Access_outside_guest_memory_is_the_tests_mistake()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Memory.Invoking(memory => memory.Read<uint>(guest.Memory.Address + (guest.Memory.Size - 3))).Should().Throw<ArgumentOutOfRangeException>();
        guest.Memory.Invoking(memory => memory.Write(new Iova(0), (byte)1)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_missing_interrupt_is_a_timeout_that_names_it()
    {
        using var guest = TestGuest.Attach(_device, new TestGuestOptions { Timeout = TimeSpan.FromMilliseconds(200) });
        _msi[1].Trigger();

        guest.Msi[1].WaitFor(1);
        guest.Msi[1].Invoking(irq => irq.WaitFor(2)).Should().Throw<TestGuestException>().WithMessage("Msi vector 1 came 1 times and not 2*");
    }

    [Fact]
    public async Task An_interrupt_from_another_thread_is_waited_for()
    {
        using var guest = TestGuest.Attach(_device);
        Task triggers = Background.Run(() =>
        {
            for (int i = 0; i < 100; i++)
                _msi[0].Trigger();
        });

        guest.Msi[0].WaitFor(100);

        await triggers.WaitAsync(Background.Timeout);
        guest.Msi[0].Count.Should().Be(100);
    }

    [Fact]
    public void Interrupts_can_be_turned_off_and_on()
    {
        using var guest = TestGuest.Attach(_device);

        guest.Msi.Disable();
        _msi[0].Trigger().Should().BeFalse();
        guest.Msi.Enable();
        _msi[0].Trigger().Should().BeTrue();

        guest.Msi[0].Count.Should().Be(1);
        guest.Msi.Type.Should().Be(IrqType.Msi);
        guest.Msi.Should().HaveCount(2);
    }

    [Fact]
    public void A_device_that_blocks_is_reported_when_the_guest_disconnects()
    {
        using ManualResetEventSlim release = new();
        _device.WhenReset = _ => release.Wait(Background.Timeout);
        TestGuest guest = TestGuest.Attach(_device, new TestGuestOptions { Timeout = TimeSpan.FromMilliseconds(200) });
        guest.Invoking(it => it.Reset()).Should().Throw<Client.VfioUserException>();

        guest.Invoking(it => it.Dispose()).Should().Throw<TestGuestException>().WithMessage("*BlankDevice*");

        release.Set();
    }
}
