using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>The device's code throws: the client gets an answer, the host is told, and the session lives on.</summary>
public sealed class ThrowingDeviceTests : IDisposable
{
    private readonly List<DeviceExceptionContext> _told = [];
    private readonly Served _served;
    private readonly RawClient _client;
    private string? _throwAt;

    public ThrowingDeviceTests()
    {
        _served = Served.Start(new VfioUserServerOptions { OnDeviceException = _told.Add });
        _served.Device.Happened = what =>
        {
            if (_throwAt is not null && what.StartsWith(_throwAt, StringComparison.Ordinal))
                throw new InvalidOperationException(what);
        };
        _client = _served.Attach();
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _client.Dispose();
        _served.Dispose();
    }

    private void ShouldHaveBeenTold(DeviceCallback callback, Command? command, string message, RegionIndex? region = null, long? offset = null)
    {
        _told.Should().ContainSingle();
        _told[0].Callback.Should().Be(callback);
        (_told[0].Region, _told[0].Offset).Should().Be((region, offset));
        _told[0].Device.Should().BeSameAs(_served.Device);
        _told[0].Command.Should().Be(command);
        _told[0].Exception.Message.Should().Be(message);
        _served.Log.Entries.Should().ContainSingle(entry => entry.Id == CapturedLog.DeviceThrew);
    }

    private static byte[] Map(ulong address) => RawClient.Bytes(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, address, 0x1000));

    [Fact]
    public void A_read_gives_all_ones_as_a_dead_device_on_a_bus()
    {
        _served.Device.Read = (_, destination) =>
        {
            destination.Fill(7);
            throw new InvalidOperationException("read");
        };

        _client.Ask(Command.RegionRead, new RegionAccess(4, ProbeDevice.Plain, 8)).ShouldBegin<RegionAccess>(out byte[] data)
            .Should().Be(new RegionAccess(4, ProbeDevice.Plain, 8));

        data.Should().Equal(Enumerable.Repeat((byte)0xFF, 8));
        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.RegionRead, Command.RegionRead, "read", (RegionIndex)ProbeDevice.Plain, 4);
    }

    [Fact]
    public void A_write_gives_EIO()
    {
        _served.Device.Written = (_, _) => throw new InvalidOperationException("write");

        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 1), 1)).ShouldBeRefused(Errno.EIO);

        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.RegionWrite, Command.RegionWrite, "write", (RegionIndex)ProbeDevice.Plain, 0);
    }

    [Fact]
    public void One_of_several_writes_gives_EIO()
    {
        _served.Device.Written = (_, _) => throw new InvalidOperationException("write");

        _client.Ask(Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(1), RawClient.Bytes(new RegionWriteMultiEntry(0, ProbeDevice.Plain, 4, 1))))
            .ShouldBeRefused(Errno.EIO);

        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.RegionWrite, Command.RegionWriteMulti, "write", (RegionIndex)ProbeDevice.Plain, 0);
    }

    [Fact]
    public void A_reset_gives_EIO()
    {
        _throwAt = "reset";

        _client.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EIO);

        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.Reset, Command.DeviceReset, "reset by ClientRequested");
    }

    [Fact]
    public void A_map_gives_EIO_and_is_none()
    {
        _throwAt = "mapped";

        _client.Ask(Command.DmaMap, Map(0x1000)).ShouldBeRefused(Errno.EIO);

        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.DmaMapped, Command.DmaMap, "mapped 0x1000");
        _served.Device.Dma.Regions.Should().BeEmpty();
        _throwAt = null;
        _client.Ask(Command.DmaMap, Map(0x1000)).ShouldBeGranted();
    }

    [Fact]
    public void An_unmap_succeeds_all_the_same()
    {
        _throwAt = "unmapping";
        _client.Ask(Command.DmaMap, Map(0x1000)).ShouldBeGranted();
        DmaUnmap unmap = new(DmaUnmap.WireSize, 0, 0x1000, 0x1000);

        _client.Ask(Command.DmaUnmap, unmap).ShouldBeGranted<DmaUnmap>().Should().Be(unmap);

        _client.ShouldBeServed();
        ShouldHaveBeenTold(DeviceCallback.DmaUnmapping, Command.DmaUnmap, "unmapping 0x1000");
        _served.Device.Dma.Regions.Should().BeEmpty();
    }

    [Fact]
    public void An_unmap_of_everything_reports_each_region_that_failed()
    {
        _throwAt = "unmapping";
        _client.Ask(Command.DmaMap, Map(0x1000)).ShouldBeGranted();
        _client.Ask(Command.DmaMap, Map(0x2000)).ShouldBeGranted();

        _client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 0, 0)).ShouldBeGranted<DmaUnmap>();

        _told.Select(context => context.Exception.Message).Should().Equal("unmapping 0x1000", "unmapping 0x2000");
        _served.Device.Dma.Regions.Should().BeEmpty();
    }

    [Fact]
    public void A_disconnect_ends_the_session_even_if_the_device_throws()
    {
        _client.Ask(Command.DmaMap, Map(0x1000)).ShouldBeGranted();
        _client.Ask(Command.DmaMap, Map(0x2000)).ShouldBeGranted();
        _throwAt = "unmapping";

        _client.Dispose();

        _served.Device.ShouldTell("unmapping 0x1000");
        _served.Device.ShouldTell("unmapping 0x2000");
        _served.Device.ShouldTell("detached");
        _told.Should().OnlyContain(context => context.Callback == DeviceCallback.DmaUnmapping && context.Command == null);
        _served.Device.Dma.Regions.Should().BeEmpty();
        using RawClient next = _served.Attach();
        next.ShouldBeServed();
    }

    [Theory]
    [InlineData("attached", DeviceCallback.Attached)]
    [InlineData("detached", DeviceCallback.Detached)]
    public void Coming_and_going_is_none_of_the_clients_business(string when, DeviceCallback callback)
    {
        _client.Dispose();
        _served.Device.ShouldTell("detached");
        _throwAt = when;
        using (RawClient client = _served.Attach())
            client.ShouldBeServed();
        _served.Device.ShouldTell("detached");
        _throwAt = null;

        using RawClient next = _served.Attach();

        next.ShouldBeServed();
        ShouldHaveBeenTold(callback, command: null, when);
    }

    [Fact]
    public void An_exception_of_this_librarys_own_calls_is_the_devices_too()
    {
        // a device that runs out of descriptors, say
        _served.Device.Written = (_, _) => SharedMemory.Create(ulong.MaxValue / 4).Dispose();

        _client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 1), 1)).ShouldBeRefused(Errno.EIO);

        _client.ShouldBeServed();
        _told.Should().ContainSingle().Which.Exception.Should().BeOfType<IOException>();
    }

    [Fact]
    public void A_hook_that_throws_changes_nothing()
    {
        using Served served = Served.Start(new VfioUserServerOptions { OnDeviceException = _ => throw new InvalidOperationException("hook") });
        using RawClient client = served.Attach();
        served.Device.Read = (_, _) => throw new InvalidOperationException("read");
        served.Device.Written = (_, _) => throw new InvalidOperationException("write");

        client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 1)).ShouldBegin<RegionAccess>(out byte[] data);
        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 1), 1)).ShouldBeRefused(Errno.EIO);

        data.Should().Equal(0xFF);
        client.ShouldBeServed();
        served.Log.Entries.Count(entry => entry.Id == CapturedLog.HookThrew).Should().Be(2);
    }
}
