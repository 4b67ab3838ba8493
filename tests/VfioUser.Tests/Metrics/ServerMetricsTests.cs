using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Metrics;

/// <summary>What a server measures of its clients.</summary>
public sealed class ServerMetricsTests : IDisposable
{
    private readonly Recorder _recorder = new();
    private readonly Served _served;

    public ServerMetricsTests() => _served = Served.Start(new VfioUserServerOptions { MeterFactory = _recorder, Name = "card", AcceptPeer = _ => AcceptPeer });

    private bool AcceptPeer { get; set; } = true;

    public void Dispose()
    {
        _served.Dispose();
        _recorder.Dispose();
    }

    private void Stop()
    {
        _served.Server.Dispose();
        _served.Running.ShouldGive();
    }

    [Fact]
    public void The_meter_has_the_librarys_name_and_version_and_every_measurement_the_devices_name()
    {
        using (RawClient client = _served.Attach())
            client.ShouldBeServed();

        _recorder.Instruments.Should().OnlyContain(instrument => instrument.Meter.Name == "VfioUser" && instrument.Meter.Version!.StartsWith("0.1.0"));
        _recorder.Instruments.Should().OnlyContain(instrument => !instrument.Meter.Version!.Contains('+'));
        _recorder.Measured.Should().NotBeEmpty().And.OnlyContain(measured => "card".Equals(measured.Tag("vfio_user.device")));
    }

    [Fact]
    public void Sessions_are_counted_and_those_that_last()
    {
        using (RawClient first = _served.Attach())
        {
            first.ShouldBeServed();
            _recorder.Sum("vfio_user.sessions").Should().Be(1);
            _recorder.Sum("vfio_user.sessions.active").Should().Be(1);
        }
        using (RawClient second = _served.Attach())
            second.ShouldBeServed();
        Stop();

        _recorder.Sum("vfio_user.sessions").Should().Be(2);
        _recorder.Sum("vfio_user.sessions.active").Should().Be(0);
        _recorder.Sum("vfio_user.errors").Should().Be(0);
    }

    [Fact]
    public void Commands_are_counted_by_kind_with_their_duration()
    {
        using RawClient client = _served.Attach();

        client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), new byte[4]), MessageFlags.NoReply);
        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), new byte[4])).ShouldBeGranted<RegionAccess>();
        client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 4)).ShouldBegin<RegionAccess>(out _);

        foreach (string instrument in (string[])["vfio_user.commands", "vfio_user.command.duration"])
        {
            _recorder.Count(instrument, ("vfio_user.command", "region_write")).Should().Be(2);
            _recorder.Count(instrument, ("vfio_user.command", "region_read")).Should().Be(1);
            _recorder.Of(instrument).Should().HaveCount(3).And.OnlyContain(measured => measured.Tag("error.type") == null);
        }
        _recorder.Sum("vfio_user.commands").Should().Be(3);
        _recorder.Sum("vfio_user.command.duration").Should().BeInRange(1e-9, Wait.Bound.TotalSeconds, "they are seconds");
    }

    [Fact]
    public void Refused_commands_have_their_errno_and_unknown_ones_share_a_name()
    {
        using RawClient client = _served.Attach();

        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, 0, 0)).ShouldBeRefused(Errno.EINVAL);
        client.Ask((Command)14).ShouldBeRefused(Errno.EINVAL);
        client.Ask((Command)0xFFFF).ShouldBeRefused(Errno.EINVAL);

        _recorder.Sum("vfio_user.commands", ("vfio_user.command", "dma_unmap"), ("error.type", "EINVAL")).Should().Be(1);
        _recorder.Sum("vfio_user.commands", ("vfio_user.command", "_OTHER"), ("error.type", "EINVAL")).Should().Be(2);
        _recorder.Count("vfio_user.command.duration", ("error.type", "EINVAL")).Should().Be(3);
    }

    [Fact]
    public void Bytes_of_messages_are_counted_in_both_directions()
    {
        using RawClient client = _served.Attach();
        double received = _recorder.Sum("vfio_user.io", ("network.io.direction", "receive"));
        double sent = _recorder.Sum("vfio_user.io", ("network.io.direction", "transmit"));

        client.Ask(Command.RegionRead, new RegionAccess(0, ProbeDevice.Plain, 100)).ShouldBegin<RegionAccess>(out _);

        _recorder.Sum("vfio_user.io", ("network.io.direction", "receive")).Should().Be(received + 32);
        _recorder.Sum("vfio_user.io", ("network.io.direction", "transmit")).Should().Be(sent + 132);
        received.Should().BePositive("the negotiation counts too");
    }

    [Fact]
    public void Exceptions_of_the_device_are_counted_by_command_and_type()
    {
        _served.Device.Written = (_, _) => throw new FormatException();
        using RawClient client = _served.Attach();

        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 1), 1)).ShouldBeRefused(Errno.EIO);

        _recorder.Sum("vfio_user.device.exceptions", ("vfio_user.device.callback", "region_write"), ("error.type", "System.FormatException")).Should().Be(1);
        _recorder.Sum("vfio_user.commands", ("error.type", "EIO")).Should().Be(1);
    }

    [Fact]
    public void Refused_clients_and_broken_streams_count_as_errors_not_sessions()
    {
        AcceptPeer = false;
        using (RawClient refused = _served.Connect())
            refused.ShouldHearTheEnd();
        AcceptPeer = true;
        using (RawClient stranger = _served.Connect())
            stranger.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EINVAL);
        _recorder.Sum("vfio_user.sessions").Should().Be(0);
        using (RawClient broken = _served.Attach())
        {
            broken.SayBytes(RawClient.Message(new MessageHeader(1, Command.DeviceReset, 1, MessageFlags.Command, 0)));
            broken.Hear().ShouldBeRefused(Errno.EINVAL);
            broken.ShouldHearTheEnd();
        }
        Stop();

        foreach (string error in (string[])["peer_refused", "negotiation_failed", "session_broken"])
            _recorder.Sum("vfio_user.errors", ("error.type", error)).Should().Be(1, error);
        _recorder.Sum("vfio_user.errors").Should().Be(3);
    }

    [Fact]
    public void A_listener_that_starts_during_a_session_does_not_see_only_its_end()
    {
        using Recorder late = new(_ => false);
        using Served served = Served.Start(new VfioUserServerOptions { MeterFactory = late });
        using (RawClient client = served.Attach())
        {
            client.ShouldBeServed();
            late.Listen();
        }

        served.Server.Dispose();
        served.Running.ShouldGive();
        late.Count("vfio_user.sessions.active").Should().Be(0);
    }

    [Fact]
    public void Servers_without_a_factory_share_a_meter_and_differ_by_address()
    {
        using Recorder process = Recorder.OfProcess();
        using Served served = Served.Start();

        using (RawClient client = served.Attach())
            client.ShouldBeServed();

        process.Sum("vfio_user.commands", ("vfio_user.device", served.Server.Address)).Should().Be(1);
        process.Instruments.Select(instrument => instrument.Meter).Distinct().Should().ContainSingle();
    }
}
