using System.Diagnostics.Metrics;
using VfioUser.Protocol;

namespace VfioUser.Tests.Metrics;

/// <summary>Collectors and dashboards go by names and units: those that exist are those that are documented.</summary>
public sealed class InstrumentNamesTests : IDisposable
{
    private readonly Recorder _recorder = new();

    public void Dispose() => _recorder.Dispose();

    [Fact]
    public void The_document_names_every_instrument_with_its_kind_and_unit_and_no_other()
    {
        ServerInstruments.Of(_recorder);

        IEnumerable<string> documented = ObservabilityDocument.Table("instrument", "kind", "unit").Select(row => $"{row[0]} {row[1]} {row[2]}");

        _recorder.Instruments.Select(instrument => $"{instrument.Name} {KindOf(instrument)} {instrument.Unit}").Should().BeEquivalentTo(documented);
        _recorder.Instruments.Should().OnlyContain(instrument => !string.IsNullOrEmpty(instrument.Description));
    }

    [Fact]
    public void The_document_names_the_tags_of_every_instrument()
    {
        ServerMetrics metrics = new(ServerInstruments.Of(_recorder), "card");

        MeasureAll(metrics);

        foreach (string[] row in ObservabilityDocument.Table("instrument", "kind", "unit", "more tags"))
        {
            string[] documented = [.. row[3].Split(", ", StringSplitOptions.RemoveEmptyEntries), "vfio_user.device"];
            HashSet<string> used = [.. _recorder.Of(row[0]).SelectMany(measured => measured.Tags).Select(tag => tag.Key)];
            used.Should().BeEquivalentTo(documented, "of {0}", row[0]);
        }
    }

    [Fact]
    public void Commands_are_spelt_as_the_specification_does()
    {
        string[] expected = ["version", "dma_map", "dma_unmap", "device_get_info", "device_get_region_info", "device_get_region_io_fds", "device_get_irq_info",
            "device_set_irqs", "region_read", "region_write", "dma_read", "dma_write", "device_reset", "region_write_multi", "device_feature", "mig_data_read", "mig_data_write"];

        Enum.GetValues<Command>().Select(MetricTags.NameOf).Should().Equal(expected);
        Enumerable.Range(0, 0x10000).Select(number => MetricTags.NameOf((Command)number)).ToHashSet(StringComparer.Ordinal)
            .Should().BeEquivalentTo([.. expected, "_OTHER"]);
    }

    [Fact]
    public void The_document_names_all_ways_and_types()
    {
        IReadOnlyList<string[]> tags = ObservabilityDocument.Table("tag", "values");

        ValuesOf(tags, "vfio_user.dma.backing").Should().Equal(Enum.GetValues<DmaBacking>().Select(way => MetricTags.NameOf(way)));
        ValuesOf(tags, "vfio_user.irq.type").Should().Equal(Enum.GetValues<IrqType>().Select(type => MetricTags.NameOf(type)));
    }

    private static string[] ValuesOf(IReadOnlyList<string[]> tags, string tag) => tags.Single(row => tag.Equals(row[0], StringComparison.Ordinal))[1].Split(", ");

    private static string KindOf(Instrument instrument) => instrument switch
    {
        Counter<long> => "counter",
        UpDownCounter<long> => "up-down counter",
        Histogram<double> => "histogram",
        _ => instrument.GetType().Name,
    };

    private static void MeasureAll(ServerMetrics metrics)
    {
        IrqDevice device = new();
        metrics.SessionBegan(device);
        metrics.Handled(Command.RegionRead, Errno.None, 0);
        metrics.Handled(Command.RegionRead, Errno.EINVAL, 0);
        metrics.Message(sent: true, 16);
        metrics.Message(sent: false, 16);
        metrics.Of(DmaBacking.Mapped).Accessed(write: true, 1);
        metrics.Of(DmaBacking.Mapped).Accessed(write: false, 1);
        metrics.Of(DmaBacking.Mapped).Leased();
        device.Config.Write<ushort>(0x04, 0x0004); // bus mastering
        device.MsiX[0].SetTrigger(new EventFd());
        device.MsiX[0].Trigger();
        device.MsiX[0].SetTrigger(null);
        metrics.Failed("peer_refused");
        metrics.DeviceThrew(DeviceCallback.RegionRead, new FormatException());
        metrics.SessionEnded();
    }
}
