using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Tool.Inspecting;
using VfioUser.Tool.Tests.Registers;

namespace VfioUser.Tool.Tests.Inspecting;

/// <summary><c>top</c>, over several servers.</summary>
public sealed class TopTests
{
    [Fact]
    public void Servers_are_rows_and_one_that_cannot_be_reached_says_why()
    {
        string first = $"@vfio-user-test-{Guid.NewGuid():N}", second = $"@vfio-user-test-{Guid.NewGuid():N}", none = $"@vfio-user-test-{Guid.NewGuid():N}";
        using Served one = new(new NamedCard(), new VfioUserServerOptions { InspectionPath = first, Name = "one" });
        using Served two = new(new NamedCard(), new VfioUserServerOptions { InspectionPath = second, Name = "two" });
        using VfioUserClient client = VfioUserClient.Connect(one.Socket, new VfioUserClientOptions());
        client.MapDma(0x10000, 0x280000);

        ToolRun run = ToolRun.Of("top", first, second, none, "--interval", "0.01");

        run.ExitCode.Should().Be(0);
        string[] lines = run.Out.Split('\n');
        lines.Should().HaveCount(5).And.HaveElementAt(4, "");
        lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Should().StartWith(["DEVICE", "STATE", "CLIENT", "CMD/S"]);
        lines[1].Should().MatchRegex($"^one +Attached +{Environment.ProcessId} +0 +0 .* 2.5 MiB$");
        lines[2].Should().MatchRegex("^two +Listening +0 .* 0 B$");
        lines[3].Should().StartWith($"{none}  Cannot connect to");
    }

    [Fact]
    public void A_count_gives_as_many_tables()
    {
        string address = $"@vfio-user-test-{Guid.NewGuid():N}";
        using Served served = new(new NamedCard(), new VfioUserServerOptions { InspectionPath = address });

        ToolRun.Of("top", address, "--interval", "0.01", "--count", "3").Out.Split('\n').Count(line => line.StartsWith("DEVICE", StringComparison.Ordinal)).Should().Be(3);
    }

    [Fact]
    public void Options_have_defaults()
    {
        string address = $"@vfio-user-test-{Guid.NewGuid():N}";
        using Served served = new(new NamedCard(), new VfioUserServerOptions { InspectionPath = address });

        ToolRun run = ToolRun.Of("top", address);

        run.Error.Should().BeEmpty();
        run.Out.Split('\n').Should().HaveCount(3, "a header, a row and the end");
    }

    [Theory]
    [InlineData("--interval", "0")]
    [InlineData("--interval", "86401")]
    [InlineData("--count", "0")]
    public void Numbers_that_cannot_be_are_refused(string option, string value)
    {
        ToolRun run = ToolRun.Of("top", "@nobody", option, value);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain($"{option} takes");
    }

    [Fact]
    public void No_server_at_all_is_a_failure() => ToolRun.Of("top", $"@vfio-user-test-{Guid.NewGuid():N}", "--interval", "0.01").ExitCode.Should().Be(1);

    [Fact]
    public void Rates_are_of_the_time_between_two_samples()
    {
        TopSample before = Sample(at: 0, commands: 100, seconds: 1, refused: 1, dma: 0, irqs: 5);
        TopSample after = Sample(at: 2, commands: 300, seconds: 1.001, refused: 1, dma: 4096, irqs: 25);

        TopRow.Between(before, after).Should().Equal("card", "Attached", "4711", "100", "100", "0", "5.0 µs", "2 KiB", "0 B", "10", "1", "0", "1 GiB");
    }

    [Fact]
    public void A_server_that_was_started_again_has_no_rates()
    {
        TopSample before = Sample(at: 0, commands: 100, seconds: 1, refused: 1, dma: 0, irqs: 5);
        TopSample after = Sample(at: 2, commands: 3, seconds: 0, refused: 0, dma: 0, irqs: 0);

        TopRow.Between(before, after with { Server = after.Server with { Started = DateTimeOffset.UnixEpoch.AddDays(1) } }).Should()
            .Equal("card", "Attached", "4711", "", "", "", "", "", "", "", "0", "0", "1 GiB");
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1536, "1.5 KiB")]
    [InlineData(123 * 1024.0 * 1024, "123 MiB")]
    public void Bytes_have_a_unit(double bytes, string text) => TopRow.Bytes(bytes).Should().Be(text);

    private static TopSample Sample(long at, double commands, double seconds, double refused, double dma, double irqs) => new(
        at * Stopwatch.Frequency,
        new ServerFacts(1, "card", "@card", 42, DateTimeOffset.UnixEpoch, "Attached", 1,
            new DeviceFacts("Card", 1, 2, 3, "Running", true, 0, 1, 1 << 30, 0), new ClientFacts(4711, 0, 0, null, null, null, null), null, null),
        [
            Counter("vfio_user.commands", commands, (MetricTags.Command, "region_read")),
            Counter("vfio_user.commands", refused, (MetricTags.Command, "region_read"), (MetricTags.ErrorType, "EINVAL")),
            Counter("vfio_user.command.duration.sum", seconds, (MetricTags.Command, "region_read")),
            Counter("vfio_user.dma.bytes", dma, (MetricTags.DmaBacking, "mapped"), (MetricTags.DmaDirection, "read")),
            Counter("vfio_user.irqs", irqs, (MetricTags.IrqType, "msi_x")),
        ]);

    private static CounterFacts Counter(string name, double value, params (string Key, string Value)[] tags) => new(name, tags.ToDictionary(tag => tag.Key, tag => tag.Value, StringComparer.Ordinal), value);
}
