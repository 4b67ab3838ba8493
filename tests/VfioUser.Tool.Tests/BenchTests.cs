using System.Text.Json;
using VfioUser.Protocol;
using VfioUser.Tool.Benching;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Tests;

public class BenchTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(1);
    private static readonly string[] Rising = ["min", "p50", "p90", "p99", "p999", "max"];

    [Fact]
    public void A_server_is_measured_at_its_first_bar_and_not_written()
    {
        int writes = 0;
        Everything device = new() { Written = () => Interlocked.Increment(ref writes) };
        using Served served = new(device);

        ToolRun run = served.Run("bench", "--seconds", "0.02");

        run.Error.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
        run.Out.Should().StartWith("bar0 of 0x1000 bytes, 4 bytes at 0x0").And.Contain("p99.9").And.Contain("reads of 4096").And.NotContain("posted writes");
        writes.Should().Be(0);
    }

    [Fact]
    public void Json_has_the_figures()
    {
        Everything device = new();
        device[0x20] = 0x5A;
        using Served served = new(device);

        using JsonDocument json = JsonDocument.Parse(served.Run("bench", "--seconds", "0.02", "--region", "bar0", "--offset", "0x20", "--width", "1", "--write", "--json").Out);

        JsonElement trip = json.RootElement.GetProperty("roundTrip");
        double[] rising = [.. Rising.Select(name => trip.GetProperty(name).GetDouble())];
        rising.Should().BeInAscendingOrder().And.OnlyContain(micros => micros > 0);
        json.RootElement.GetProperty("pipelined").GetProperty("depth").GetInt32().Should().Be(32);
        json.RootElement.GetProperty("large").GetProperty("bytes").GetInt32().Should().Be(4096);
        json.RootElement.GetProperty("postedWrites").GetProperty("count").GetInt64().Should().BePositive();
        device[0x20].Should().Be(0x5A, "what was there is written");
    }

    [Fact]
    public void A_device_without_bars_is_measured_at_its_configuration_space()
    {
        using FakeServer server = new();

        ToolRun run = ToolRun.Of("bench", server.Path, "--seconds", "0.02");

        run.Out.Should().StartWith("config of 0x100 bytes");
    }

    [Fact]
    public void A_region_or_offset_that_does_not_exist_is_one_clear_line()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("bench", "--region", "bar0", "--offset", "0x1000");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: bar0 has no 4 bytes at 0x1000 that can be read.\n");
    }

    [Fact]
    public void A_server_that_ends_with_its_client_is_measured_over_one_connection()
    {
        using FakeServer server = new() { EndsWithClient = true };

        ToolRun run = ToolRun.Of("bench", server.Path, "--seconds", "0.02", "--write");

        run.Error.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
    }

    [Fact]
    public void The_measured_loop_allocates_nothing()
    {
        using Served served = new(new Everything());
        using BenchConnection connection = new(Endpoints.Connect(served.Socket, Timeout, CancellationToken.None), Timeout, CancellationToken.None);
        connection.Send(BenchConnection.Message(Command.Version, VersionMessage.Format(Negotiator.Version, Capabilities.Unspecified)));
        connection.Receive(Command.Version).Should().Be(Errno.None);
        byte[] read = BenchConnection.Message(Command.RegionRead, FakeServer.Bytes(new RegionAccess(0, 0, 4)));
        RoundTrips(connection, read, 100);

        long before = GC.GetAllocatedBytesForCurrentThread();
        RoundTrips(connection, read, 1000);

        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    private static void RoundTrips(BenchConnection connection, byte[] read, int count)
    {
        for (int i = 0; i < count; i++)
        {
            connection.Send(read);
            if (connection.Receive(Command.RegionRead) != Errno.None)
                throw new InvalidOperationException("The read was refused.");
        }
    }
}
