using System.CommandLine;
using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user watch</c>: polls a part of a region, and prints changes.</summary>
internal static class WatchCommand
{
    private const ulong MaxLength = 1 << 20;
    private const double LongestInterval = 86400;

    public static Command Create(Terminal terminal)
    {
        Command command = new("watch", "Prints a region's changes until Ctrl-C");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<uint> region = RegionName.Argument();
        Option<ulong?> offset = Numbers.Option("--offset", "First byte to watch; 0 without it");
        Option<ulong?> length = Numbers.Option("--length", "Bytes to watch; without it the rest of the region, 1 MiB at most");
        Option<double> interval = new("--interval") { Description = "Seconds between reads", DefaultValueFactory = _ => 0.5 };
        Option<ulong?> count = Numbers.Option("--count", "End after that many changes");
        command.Add(region);
        command.Add(offset);
        command.Add(length);
        command.Add(interval);
        command.Add(count);
        command.SetAction(parsed =>
        {
            double seconds = parsed.GetValue(interval);
            if (seconds is not (>= 0 and <= LongestInterval))
                throw new UsageException("--interval takes seconds, a day at most.");
            if (parsed.GetValue(length) is { } asked and (0 or > MaxLength))
                throw new UsageException($"A length of {asked} bytes cannot be watched; 1 to {MaxLength} can.");
            using CancellationTokenSource end = terminal.UntilEnded();
            using VfioUserClient client = server.Connect(parsed, end.Token);
            uint index = parsed.GetValue(region);
            ulong start = parsed.GetValue(offset) ?? 0;
            ulong bytes = parsed.GetValue(length) ?? Rest(client, index, start);
            if (bytes is 0 or > MaxLength)
                throw new ToolException($"A length of {bytes} bytes cannot be watched; 1 to {MaxLength} can.");
            ulong? most = parsed.GetValue(count);
            ulong changes = Watch(terminal, client, index, start, (int)bytes, TimeSpan.FromSeconds(seconds), most, end.Token);
            return changes < most ? ExitCode.Interrupted : ExitCode.Success;
        });
        return command;
    }

    private static ulong Rest(VfioUserClient client, uint index, ulong start)
    {
        using ClientRegion info = client.GetRegionInfo(index);
        return start >= info.Size ? 0 : Math.Min(info.Size - start, MaxLength);
    }

    private static ulong Watch(Terminal terminal, VfioUserClient client, uint region, ulong start, int length, TimeSpan interval, ulong? most,
        CancellationToken end)
    {
        byte[] before = new byte[length];
        byte[] now = new byte[length];
        RegionTransfer.Read(client, region, start, before);
        terminal.Out.WriteLine($"watching {length} bytes of {RegionName.Of(region)}");
        Stopwatch time = Stopwatch.StartNew();
        ulong changes = 0;
        while (!(changes >= most) && !end.WaitHandle.WaitOne(interval))
        {
            try
            {
                RegionTransfer.Read(client, region, start, now);
            }
            catch (OperationCanceledException)
            {
                break;
            }
            for (int i = 0; i < length && !(changes >= most); i++)
            {
                if (before[i] == now[i])
                    continue;
                changes++;
                terminal.Out.WriteLine($"{time.Elapsed.TotalSeconds,10:f3}  0x{start + (uint)i:x4}  {terminal.Gray($"{before[i]:x2}")} -> {terminal.Bold($"{now[i]:x2}")}");
            }
            (before, now) = (now, before);
        }
        return changes;
    }
}
