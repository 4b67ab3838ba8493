using System.Diagnostics;
using VfioUser.Protocol;
using VfioUser.Tool.Tests.Tracing;

namespace VfioUser.Tool.Tests;

/// <summary>Whatever a server does, a command ends: by itself when its timeout is over, at once with Ctrl-C.</summary>
public sealed class TimeoutTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly string _recording = Path.GetTempFileName();

    public static TheoryData<string, Stall> Runs
    {
        get
        {
            TheoryData<string, Stall> runs = [];
            foreach (string command in (string[])["info", "config", "read", "write", "watch", "irq", "bench", "check", "replay"])
            {
                foreach (Stall stall in Enum.GetValues<Stall>())
                    runs.Add(command, stall);
            }
            return runs;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task A_command_ends_when_its_timeout_expires(string command, Stall stall)
    {
        using HostileServer server = new(stall);

        ToolRun run = await Run([.. Args(command, server), "--server-timeout", "0.3"], CancellationToken.None).WaitAsync(Timeout);

        run.ExitCode.Should().Be(1);
        (run.Out + run.Error).Should().NotBeEmpty();
        run.Error.Trim().Should().NotContain("\n");
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task Ctrl_c_ends_a_command_that_would_wait_for_a_day(string command, Stall stall)
    {
        using HostileServer server = new(stall);
        using CancellationTokenSource stop = new();
        Task<ToolRun> run = Run([.. Args(command, server), "--server-timeout", "86400"], stop.Token);

        await stop.CancelAsync();

        // a server that floods may have ended it before
        (await run.WaitAsync(Timeout)).ExitCode.Should().BeOneOf(130, 1);
    }

    [Fact]
    public void A_server_that_accepts_no_client_is_one_clear_line()
    {
        using HostileServer server = new(Stall.AcceptsNobody);

        ToolRun run = ToolRun.Of("info", server.Path, "--server-timeout", "0.1");

        run.Error.Should().Be($"vfio-user: Cannot connect to '{server.Path}': its queue is full, and nobody was accepted within 0.1 seconds.\n");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public async Task A_trace_reports_a_server_that_accepts_no_client()
    {
        using HostileServer server = new(Stall.AcceptsNobody);
        using Traced traced = new(server.Path, "--server-timeout", "0.1");

        Action come = () => traced.Connect().Dispose();

        come.Should().Throw<Client.VfioUserException>();
        (await traced.Stop()).Should().Be(0);
        traced.Error.Should().Contain("its queue is full");
    }

    [Fact]
    public async Task Ctrl_c_ends_a_trace_that_waits_for_its_server()
    {
        using HostileServer server = new(Stall.AcceptsNobody);
        using Traced traced = new(server.Path, "--server-timeout", "86400");
        Task come = Task.Run(() => traced.Connect().Dispose());

        int exitCode = await traced.Stop();

        exitCode.Should().Be(0);
        await come.Invoking(it => it).Should().ThrowAsync<Exception>();
    }

    [Theory]
    [InlineData("bench", "--write", "--region", "config", "--seconds", "0.02")]
    [InlineData("write", "bar1", "0")]
    public async Task A_server_that_stops_reading_times_out(string command, params string[] more)
    {
        using ManualResetEventSlim over = new();
        using FakeServer server = new((header, _) =>
        {
            if (header.Command != Command.RegionWrite)
                return null;
            over.Wait();
            return [];
        });
        string bytes = _recording;
        await File.WriteAllBytesAsync(bytes, new byte[1 << 20]);

        ToolRun run = await Run([command, server.Path, .. more, .. command is "write" ? ["--input", bytes] : (string[])[], "--server-timeout", "0.3"], CancellationToken.None).WaitAsync(Timeout);

        over.Set();
        run.ExitCode.Should().Be(1);
        // writes are posted: on a slow machine it is the read after them that waits
        run.Error.Should().MatchRegex("did not answer Region(Write|Read) in time");
    }

    [Fact]
    public async Task A_replay_to_a_server_that_reads_nothing_ends()
    {
        using HostileServer server = new(Stall.Silent);
        byte[] large = RawClient.Bytes(new MessageHeader(1, Command.RegionWrite, 1 << 20, MessageFlags.Command, 0));
        Array.Resize(ref large, 1 << 20);
        await File.WriteAllBytesAsync(_recording, [.. RecordedBytes.Start, .. RecordedBytes.Of(large), .. RecordedBytes.Of(large)]);

        ToolRun run = await Run(["replay", _recording, server.Path, "--server-timeout", "0.3"], CancellationToken.None).WaitAsync(Timeout);

        run.Out.Should().Contain("the server accepts no more messages");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public void A_check_of_a_server_that_answers_only_version_ends_early()
    {
        using HostileServer server = new(Stall.SilentAfterVersion);

        ToolRun run = ToolRun.Of("check", server.Path, "--server-timeout", "0.1");

        run.Out.Should().Contain("after it no client is served: no answer to DeviceGetInfo").And.MatchRegex(" 1 failed, .* not checked");
    }

    [Theory]
    [InlineData("watch", "bar0", "--interval", "0.01")]
    [InlineData("irq", "msix")]
    public async Task A_closed_output_ends_the_command(string command, params string[] more)
    {
        using Served served = new(new Everything());
        string tool = Path.Combine(AppContext.BaseDirectory, "VfioUser.Tool.dll");
        ProcessStartInfo start = new("/bin/sh", ["-c", $"dotnet exec '{tool}' {command} '{served.Socket}' {string.Join(' ', more)} | head -1"]) { RedirectStandardOutput = true, UseShellExecute = false };

        using Process shell = Process.Start(start)!;
        string printed = await shell.StandardOutput.ReadToEndAsync().WaitAsync(Timeout);

        await shell.WaitForExitAsync().WaitAsync(Timeout);
        printed.Split('\n', StringSplitOptions.RemoveEmptyEntries).Should().ContainSingle();
    }

    public void Dispose() => File.Delete(_recording);

    private string[] Args(string command, HostileServer server)
    {
        if (command is "replay")
            File.WriteAllBytes(_recording, [.. RecordedBytes.Start, .. RecordedBytes.Of(Version), .. RecordedBytes.Of(GetInfo), .. RecordedBytes.Of(GetInfo, way: 1)]);
        return command switch
        {
            "read" => [command, server.Path, "bar0", "0"],
            "write" => [command, server.Path, "bar0", "0", "1"],
            "watch" => [command, server.Path, "bar0"],
            "irq" => [command, server.Path, "msix"],
            "bench" => [command, server.Path, "--write"],
            "replay" => [command, _recording, server.Path],
            _ => [command, server.Path],
        };
    }

    private static byte[] Version => RawClient.Bytes(new MessageHeader(1, Command.Version, MessageHeader.WireSize, MessageFlags.Command, 0));

    private static byte[] GetInfo => RawClient.Bytes(new MessageHeader(2, Command.DeviceGetInfo, MessageHeader.WireSize, MessageFlags.Command, 0));

    private static Task<ToolRun> Run(string[] args, CancellationToken stop) =>
        Task.Factory.StartNew(() => ToolRun.Of(stop, args), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
