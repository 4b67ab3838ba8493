using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class ConfigInterceptTests
{
    [Fact]
    public void The_handler_gets_every_access_unchanged()
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Config.Intercept(recorder)), new() { EnableBusMaster = false });

        guest.Config.Read<uint>(0).Should().Be(0x03020100);
        guest.Config.Read(0, new byte[256]);
        guest.Config.Write(0x3F, (ushort)0xBBAA);
        guest.Config.Write(0xFF, (byte)1);

        recorder.Seen.Should().Equal("read 0+4", "read 0+256", "write 3f AABB", "write ff 01");
    }

    [Fact]
    public void Accesses_that_are_not_handed_on_have_no_effect()
    {
        OddDevice device = new(d =>
        {
            d.Bar(0, BarKind.Memory32, 0x1000);
            d.Config.Intercept(new Recorder());
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Config.Write(0x10, 0xFEB0_0000u);
        guest.Config.Write(0x04, (ushort)0x0006);

        device.Config.BarAddress(0).Should().Be(0);
        device.Config.IsMemoryEnabled.Should().BeFalse();
    }

    [Fact]
    public void The_handler_can_call_the_library_and_change_its_answer()
    {
        List<int> written = [];
        OddDevice device = new(d =>
        {
            d.Bar(0, BarKind.Memory32, 0x1000);
            d.Config.AddWriteHandler(0x10, 4, (offset, _) => written.Add(offset));
            d.Config.Intercept(new Altering(d.Config));
        });
        using TestGuest guest = TestGuest.Attach(device);

        guest.Config.Write(0x10, 0xFEB0_0000u);

        guest.Config.Read<uint>(0x00).Should().Be(0x0ADD_1B36u ^ 0xFFFF_FFFF);
        device.Config.BarAddress(0).Should().Be(0xFEB0_0000);
        written.Should().Equal(0x10);
    }

    [Fact]
    public void An_access_beyond_the_end_is_einval_and_not_the_handlers()
    {
        Recorder recorder = new();
        using TestGuest guest = TestGuest.Attach(new OddDevice(d => d.Config.Intercept(recorder)), new() { EnableBusMaster = false });

        DeviceRegionTests.Refusal(() => guest.Config.Read<uint>(0xFE)).Should().Be(Errno.EINVAL);
        DeviceRegionTests.Refusal(() => guest.Config.Write(0x100, 1u)).Should().Be(Errno.EINVAL);

        recorder.Seen.Should().BeEmpty();
    }

    [Fact]
    public void The_default_does_not_leave_the_configuration_space()
    {
        ConfigSpace config = new OddDevice(_ => { }).Config;

        FluentActions.Invoking(() => config.DefaultRead(0xFE, new byte[4])).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => config.DefaultWrite(-1, new byte[1])).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => config.DefaultRead(0x100, [])).Should().NotThrow();
    }

    [Fact]
    public void There_is_one_interceptor()
    {
        ConfigSpace config = new OddDevice(d => d.Config.Intercept(new Recorder())).Config;

        Action second = () => config.Intercept(new Recorder());

        second.Should().Throw<InvalidOperationException>();
    }

    private sealed class Altering(ConfigSpace config) : IRegionHandler
    {
        public void Read(long offset, Span<byte> destination)
        {
            config.DefaultRead(offset, destination);
            for (int i = 0; i < destination.Length; i++)
                destination[i] ^= 0xFF;
        }

        public void Write(long offset, ReadOnlySpan<byte> source) => config.DefaultWrite(offset, source);
    }
}
