using System.CommandLine;
using VfioUser.Client;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Registers;
using RegionFlags = VfioUser.Protocol.RegionFlags;

namespace VfioUser.Tool.Regions;

/// <summary><c>vfio-user watch</c>: polls a part of a region, or a register, and prints changes.</summary>
internal static class WatchCommand
{
    private const ulong MaxLength = 1 << 20;
    private const double LongestInterval = 86400;

    public static Command Create(Terminal terminal)
    {
        Command command = new("watch", "Prints changes of a region, or of a register by name, until Ctrl-C");
        ServerArguments server = ServerArguments.AddTo(command);
        Argument<string> argument = RegionName.OrRegister();
        Option<ulong?> offset = Numbers.Option("--offset", "First byte to watch; 0 without it");
        Option<ulong?> length = Numbers.Option("--length", "Bytes to watch; without it the rest of the region, 1 MiB at most");
        Option<double> interval = new("--interval") { Description = "Seconds between reads", DefaultValueFactory = _ => 0.5 };
        Option<ulong?> count = Numbers.Option("--count", "End after that many changes");
        Option<double?> timeout = new("--timeout") { Description = "Seconds after which it ends; a failure if --count was not reached by then" };
        command.Add(argument);
        command.Add(offset);
        command.Add(length);
        command.Add(interval);
        command.Add(count);
        command.Add(timeout);
        command.SetAction(parsed =>
        {
            double seconds = parsed.GetValue(interval);
            if (seconds is not (>= 0 and <= LongestInterval))
                throw new UsageException("--interval takes seconds, a day at most.");
            if (parsed.GetValue(timeout) is not (null or >= 0 and <= LongestInterval))
                throw new UsageException("--timeout takes seconds, a day at most.");
            if (parsed.GetValue(length) is { } asked and (0 or > MaxLength))
                throw new UsageException($"A length of {asked} bytes cannot be watched; 1 to {MaxLength} can.");
            string name = parsed.GetRequiredValue(argument);
            bool isRegister = RegionName.IsRegister(name, hasOffset: false, out uint region);
            if (isRegister)
                RegionName.Refuse(parsed, offset, length);
            using CancellationTokenSource end = terminal.UntilEnded();
            using VfioUserClient client = server.Connect(parsed, end.Token);
            if (parsed.GetValue(timeout) is { } limit)
                end.CancelAfter(TimeSpan.FromSeconds(limit));
            WatchLoop loop = new(terminal, TimeSpan.FromSeconds(seconds), parsed.GetValue(count), end.Token);
            ulong changes = isRegister
                ? loop.Watch(client, MapReader.Read(client).Find(name))
                : loop.Watch(client, region, parsed.GetValue(offset) ?? 0, Length(client, region, parsed.GetValue(offset) ?? 0, parsed.GetValue(length)));
            if (!(changes < parsed.GetValue(count)))
                return ExitCode.Success;
            return terminal.Stop.IsCancellationRequested || terminal.OutputClosed.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Failure;
        });
        return command;
    }

    private static int Length(VfioUserClient client, uint index, ulong start, ulong? asked)
    {
        ulong bytes = asked ?? Rest(client, index, start);
        if (bytes == 0)
            RegionTransfer.ThrowIfImpossible(client, index, start, count: 1, RegionFlags.Read);
        return bytes is 0 or > MaxLength ? throw new ToolException($"A length of {bytes} bytes cannot be watched; 1 to {MaxLength} can.") : (int)bytes;
    }

    private static ulong Rest(VfioUserClient client, uint index, ulong start)
    {
        using ClientRegion info = client.GetRegionInfo(index);
        return start >= info.Size ? 0 : Math.Min(info.Size - start, MaxLength);
    }
}
