using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests.Tracing;

public class RecordingTests
{
    [Fact]
    public void A_recording_is_printed_as_the_trace_was()
    {
        using Recorded recorded = new(new Engine(), TwinSocketPolicy.Require);

        ToolRun run = ToolRun.Of("trace", "--read", recorded.File);

        run.ExitCode.Should().Be(0);
        run.Error.Should().BeEmpty();
        // the times are kept to 100 ns, the printed ones to 1 us
        run.Out.TrimEnd().Split('\n').Select(WithoutTimes).Should().Equal(recorded.Lines.Select(WithoutTimes));
    }

    [Theory]
    [InlineData(5, 1)] // within the end of the connection, which has 20 bytes
    [InlineData(21, 2)] // within the message before
    public void A_recording_that_was_cut_off_is_read_to_its_last_whole_record(int cut, int lost)
    {
        using Recorded recorded = new(new Engine(), TwinSocketPolicy.Never);
        byte[] bytes = File.ReadAllBytes(recorded.File);
        string whole = ToolRun.Of("trace", "--read", recorded.File).Out;

        File.WriteAllBytes(recorded.File, bytes[..^cut]);
        ToolRun run = ToolRun.Of("trace", "--read", recorded.File);

        run.ExitCode.Should().Be(0);
        run.Error.Should().Contain("ends within a record");
        run.Out.Split('\n').Length.Should().Be(whole.Split('\n').Length - lost);
        whole.Should().StartWith(run.Out);
    }

    [Fact]
    public void A_file_that_is_no_recording_is_one_clear_line()
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, "once upon a time there was a file");

        ToolRun run = ToolRun.Of("trace", "--read", file);

        File.Delete(file);
        run.ExitCode.Should().Be(1);
        run.Error.Should().Be($"vfio-user: '{file}' cannot be read: it is no recording of 'vfio-user trace'.\n");
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Require)]
    [InlineData(TwinSocketPolicy.Never)]
    public void A_recording_replayed_to_the_same_device_shows_no_difference(TwinSocketPolicy twin)
    {
        using Recorded recorded = new(new Engine(), twin);
        using Served served = new(new Engine());

        ToolRun run = ToolRun.Of("replay", recorded.File, served.Socket);

        run.Error.Should().BeEmpty();
        run.Out.Should().EndWith(" replies the same, 0 different\n").And.StartWith("1 clients, ");
        run.ExitCode.Should().Be(0);
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Require)]
    [InlineData(TwinSocketPolicy.Never)]
    public void Different_dma_of_a_device_is_reported(TwinSocketPolicy twin)
    {
        using Recorded recorded = new(new Engine(), twin);
        using Served served = new(new Engine(mask: 0xF0));

        ToolRun run = ToolRun.Of("replay", recorded.File, served.Socket);

        run.ExitCode.Should().Be(1);
        run.Out.Should().Contain("DmaWrite #").And.Contain("(address 0x10000, count 4, value 0xffffffff): from byte 16 of the payload on recorded ffffffff, now f0f0f0f0");
        run.Out.Should().EndWith(" 1 different\n");
    }

    [Fact]
    public void Different_replies_of_another_device_are_reported()
    {
        using Recorded recorded = new(new Engine(), TwinSocketPolicy.Never);
        Everything other = new();
        other[0x100] = 0x55;
        using Served served = new(other);

        ToolRun run = ToolRun.Of("replay", recorded.File, served.Socket, "--server-timeout", "2");
        ToolRun ignoring = ToolRun.Of("replay", recorded.File, served.Socket, "--server-timeout", "2", "--ignore", "REGION_READ");

        run.ExitCode.Should().Be(1);
        run.Out.Should().Contain("RegionRead #").And.Contain("(region bar0, offset 0x100, count 4): from byte 16 of the payload on recorded 00000000, now 55000000");
        run.Out.Should().Contain("recorded from the server, not sent now");
        ignoring.Out.Should().NotContain("RegionRead");
    }

    [Fact]
    public void A_device_that_is_reset_first_has_nothing_of_earlier_clients()
    {
        string file = Path.Combine(Path.GetTempPath(), $"vfio-user-recording-{Guid.NewGuid():n}");
        using (Traced traced = new(new Engine(), "--record", file))
        {
            using (VfioUserClient client = traced.Connect(TwinSocketPolicy.Never))
            {
                client.ReadRegion(0, Engine.Length, new byte[4]);
                client.WriteRegion(0, Engine.Length, RawClient.Bytes(4u));
            }
            traced.LineWith("disconnected");
        }
        using Served served = new(new Engine());
        ToolRun.Of("replay", file, served.Socket).ExitCode.Should().Be(0);

        ToolRun kept = ToolRun.Of("replay", file, served.Socket);
        ToolRun reset = ToolRun.Of("replay", file, served.Socket, "--reset");

        File.Delete(file);
        kept.Out.Should().EndWith(" 1 different\n");
        reset.Out.Should().EndWith(" 0 different\n");
    }

    [Fact]
    public void A_device_that_is_reset_before_each_client_has_nothing_of_the_one_before()
    {
        string file = Path.Combine(Path.GetTempPath(), $"vfio-user-recording-{Guid.NewGuid():n}");
        using (Traced traced = new(new Engine(), "--record", file))
        {
            for (int i = 0; i < 2; i++)
            {
                // each finds a device that was reset, which the recording of the second one does not show
                using (VfioUserClient before = traced.ConnectPast())
                    before.ResetDevice();
                using (VfioUserClient client = traced.Connect(TwinSocketPolicy.Never))
                {
                    client.ReadRegion(0, Engine.Length, new byte[4]);
                    client.WriteRegion(0, Engine.Length, RawClient.Bytes(4u));
                }
                traced.LineWith("disconnected");
            }
        }
        using Served served = new(new Engine());

        ToolRun first = ToolRun.Of("replay", file, served.Socket, "--reset");
        ToolRun each = ToolRun.Of("replay", file, served.Socket, "--reset-each");

        File.Delete(file);
        first.Out.Should().StartWith("record ").And.EndWith(" 1 different\n");
        each.Out.Should().StartWith("2 clients, ").And.EndWith(" 0 different\n");
    }

    [Fact]
    public void A_recording_that_is_read_quietly_prints_no_messages()
    {
        using Recorded recorded = new(new Engine(), TwinSocketPolicy.Never);

        ToolRun.Of("trace", "--read", recorded.File, "--quiet").Should().Be(new ToolRun(0, "", ""));
    }

    private static string WithoutTimes(string line)
    {
        int latency = line.IndexOf(" after ", StringComparison.Ordinal);
        int end = latency < 0 ? -1 : line.IndexOf(" ms", latency, StringComparison.Ordinal) + 3;
        return latency < 0 ? line[11..] : line[11..latency] + line[end..];
    }

    /// <summary>A recording of a guest that uses an <see cref="Engine"/>.</summary>
    private sealed class Recorded : IDisposable
    {
        public Recorded(PciDevice device, TwinSocketPolicy twin)
        {
            File = Path.Combine(Path.GetTempPath(), $"vfio-user-recording-{Guid.NewGuid():n}");
            using Traced traced = new(device, "--record", File);
            using (VfioUserClient client = traced.Connect(twin, new Memory()))
            using (SharedMemory memory = SharedMemory.Create(8192))
            using (EventFd interrupt = new())
            {
                client.SetIrqEventFds((uint)IrqType.MsiX, 0, interrupt.Handle);
                client.MapDma(Memory.Start, 4096);
                client.MapDma(0x20000, 8192, memory.File);
                client.WriteRegion(0, Engine.Address, RawClient.Bytes(Memory.Start));
                client.WriteRegion(0, Engine.Length, RawClient.Bytes(4u));
                client.WriteRegion(0, Engine.Doorbell, RawClient.Bytes(1u));
                client.ReadRegion(0, 0x100, new byte[4]);
                FluentActions.Invoking(() => client.ReadRegion(0, 0xFFE, new byte[4])).Should().Throw<VfioUserException>();
                client.ReadRegion(2, 0x10, new byte[100]);
            }
            traced.LineWith("disconnected");
            Lines = [.. traced.Lines];
        }

        public string File { get; }

        public IReadOnlyList<string> Lines { get; }

        public void Dispose() => System.IO.File.Delete(File);
    }
}
