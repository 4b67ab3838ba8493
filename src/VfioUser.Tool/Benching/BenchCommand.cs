using System.CommandLine;
using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Regions;
using Command = System.CommandLine.Command;

namespace VfioUser.Tool.Benching;

/// <summary><c>vfio-user bench</c>: measures how fast a server answers.</summary>
internal static class BenchCommand
{
    private const double LongestMeasurement = 3600;

    public static Command Create(Terminal terminal)
    {
        Command command = new("bench", "Measures latency and throughput of region accesses");
        ServerArguments server = ServerArguments.AddTo(command);
        Option<uint?> region = RegionName.Option("The region; without it the first BAR that can be read, else config");
        Option<ulong?> offset = Numbers.Option("--offset", "First byte of the small accesses; 0 without it");
        Option<int> width = ReadCommand.Width();
        Option<double> seconds = new("--seconds") { Description = "For each measurement", DefaultValueFactory = _ => 2 };
        Option<bool> write = new("--write") { Description = "Measure posted writes, too: of the value that is read there first" };
        Option<bool> json = new("--json") { Description = "As JSON" };
        seconds.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= LongestMeasurement))
                result.AddError("--seconds takes a number above 0, an hour at most.");
        });
        command.Add(region);
        command.Add(offset);
        command.Add(width);
        command.Add(seconds);
        command.Add(write);
        command.Add(json);
        command.SetAction(parsed =>
        {
            string socket = server.ExistingSocket(parsed);
            Place place = new(parsed.GetValue(region), parsed.GetValue(offset) ?? 0, parsed.GetValue(width));
            byte[] value = new byte[place.Width];
            // one connection for all of it: some servers end with their client
            using SafeSocketHandle connected = Endpoints.Connect(socket, server.Timeout(parsed), terminal.Stop);
            using VfioUserClient client = VfioUserClient.FromConnected(SocketCalls.Duplicate(connected),
                server.ClientOptions(parsed, terminal.Stop) with { TwinSocket = TwinSocketPolicy.Never });
            (place, ulong size) = Choose(client, place);
            client.ReadRegion(place.Region!.Value, place.Offset, value);
            int large = (int)Math.Min(size, (ulong)Math.Min(client.Limits.MaxTransferToSend, client.Limits.MaxTransferToReceive));
            using BenchConnection connection = new(SocketCalls.Duplicate(connected), server.Timeout(parsed), terminal.Stop);
            Bench bench = new(connection, place.Region!.Value, place.Offset, place.Width, TimeSpan.FromSeconds(parsed.GetValue(seconds)), terminal.Stop);
            BenchReport report = new(socket, RegionName.Of(place.Region.Value), size, place.Offset, place.Width, parsed.GetValue(seconds),
                bench.RoundTrip(), bench.Pipelined(), bench.Large(large), parsed.GetValue(write) ? bench.PostedWrites(value) : null);
            if (parsed.GetValue(json))
                terminal.Out.WriteLine(BenchJson.Format(report));
            else
                BenchText.Write(terminal, report);
            return ExitCode.Success;
        });
        return command;
    }

    // reads of configuration space never have side effects, those of a BAR may
    private static (Place Place, ulong Size) Choose(VfioUserClient client, Place asked)
    {
        IEnumerable<uint> candidates = asked.Region is { } region ? [region] : [0, 1, 2, 3, 4, 5, RegionName.Config];
        foreach (uint index in candidates)
        {
            using ClientRegion info = client.GetRegionInfo(index);
            if ((info.Info.Flags & RegionFlags.Read) != 0 && asked.Offset < info.Size && (ulong)asked.Width <= info.Size - asked.Offset)
                return (asked with { Region = index }, info.Size);
        }
        throw new ToolException(asked.Region is { } missing
            ? $"{RegionName.Of(missing)} has no {asked.Width} bytes at 0x{asked.Offset:x} that can be read."
            : $"The device has no region with {asked.Width} bytes at 0x{asked.Offset:x} that can be read.");
    }

    private sealed record Place(uint? Region, ulong Offset, int Width);
}
