using System.Diagnostics.Metrics;

namespace VfioUser.Tests.Serving;

/// <summary>The session that a host may run before its first client comes.</summary>
[Collection(OpenFds.Name)]
public sealed class WarmUpTests
{
    [Fact]
    public void Every_command_of_a_warm_up_is_granted() => WarmUpSession.Run().Should().Be(0);

    [Fact]
    public void A_warm_up_leaves_nothing_open()
    {
        VfioUserServer.WarmUp();
        OpenFds before = OpenFds.Now();

        VfioUserServer.WarmUp();

        before.More().Should().BeEmpty();
    }

    [Fact]
    public void A_warm_up_is_not_counted_as_a_session()
    {
        List<string> counted = [];
        using MeterListener listener = new();
        listener.InstrumentPublished = (instrument, listener) =>
        {
            if (string.Equals(instrument.Meter.Name, VfioUserServer.MeterName, StringComparison.Ordinal))
                listener.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, _, _, _) =>
        {
            lock (counted)
                counted.Add(instrument.Name);
        });
        listener.Start();

        VfioUserServer.WarmUp();

        counted.Should().BeEmpty();
    }

    [Fact]
    public void A_device_that_is_served_meanwhile_has_no_part_in_it()
    {
        using ProbeDevice device = new();
        using Served served = Served.Start(ServedBy.OwnThread, device);
        using RawClient client = served.Attach();
        client.ShouldBeServed(); // it has attached by then
        int before = device.Diary.Count;

        VfioUserServer.WarmUp();

        device.Diary.Should().HaveCount(before);
        client.ShouldBeServed();
    }
}
