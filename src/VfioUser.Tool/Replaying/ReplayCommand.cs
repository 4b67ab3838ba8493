using System.CommandLine;
using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Faults;
using VfioUser.Tool.Recording;

namespace VfioUser.Tool.Replaying;

/// <summary><c>vfio-user replay</c>: plays the client's side of a recording to a server, and compares the replies.</summary>
internal static class ReplayCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("replay", "Plays the client's side of a recording to a server, and compares the replies");
        Argument<string> file = new("FILE") { Description = "A recording of trace --record" };
        file.Validators.Add(FilePath.NotEmpty);
        command.Add(file);
        ServerArguments server = ServerArguments.AddTo(command);
        Option<double?> speed = new("--speed") { Description = "1 for the pace of the recording, 2 for twice that; as fast as possible without it" };
        Option<string[]> ignore = new("--ignore") { Description = "A command whose replies need not be the same" };
        Option<bool> reset = new("--reset") { Description = "Reset the device first, so that it keeps nothing of earlier clients" };
        Option<bool> resetEach = new("--reset-each") { Description = "Reset the device before each client, so that it keeps nothing of those before, either" };
        command.Add(reset);
        command.Add(resetEach);
        command.Add(speed);
        command.Add(ignore);
        command.Validators.Add(result =>
        {
            if (result.GetValue(speed) is { } factor && factor is not (> 0 and < 1e6))
                result.AddError("--speed takes a factor above 0.");
            foreach (string name in result.GetValue(ignore) ?? [])
            {
                if (!CommandName.TryParse(name, out _))
                    result.AddError($"--ignore: '{name}' is no command; write REGION_READ, VERSION and so on.");
            }
        });
        command.SetAction(parsed =>
        {
            using RecordingReader recording = new(parsed.GetRequiredValue(file));
            string socket = server.Socket(parsed);
            TimeSpan timeout = server.Timeout(parsed);
            if (parsed.GetValue(reset) && !parsed.GetValue(resetEach))
                Reset();
            Replayer replayer = new(() => Endpoints.Connect(socket, timeout, terminal.Stop), timeout, parsed.GetValue(speed), Ignored(parsed.GetValue(ignore)),
                terminal.Out.WriteLine, terminal.Stop);
            Stopwatch time = Stopwatch.StartNew();
            int clients = 0;
            foreach (List<(int, Recorded)> records in Clients(recording))
            {
                clients++;
                if (parsed.GetValue(resetEach))
                    Reset();
                replayer.Play(records);
            }
            if (recording.IsCutOff)
                terminal.Error.WriteLine(RecordingReader.CutOff);
            terminal.Out.WriteLine($"{clients} clients, {replayer.Sent} messages sent in {time.Elapsed.TotalSeconds:f3} s; " +
                $"{replayer.Same} replies the same, {replayer.Different} different");
            return replayer.Different == 0 ? ExitCode.Success : ExitCode.Failure;

            void Reset()
            {
                using VfioUserClient client = server.Connect(parsed, terminal.Stop);
                client.ResetDevice();
            }
        });
        return command;
    }

    private static HashSet<Protocol.Command> Ignored(string[]? names)
    {
        HashSet<Protocol.Command> ignored = [];
        foreach (string name in names ?? [])
        {
            if (CommandName.TryParse(name, out Protocol.Command command))
                ignored.Add(command);
        }
        return ignored;
    }

    // the records of each client, in the order of disconnecting; then of clients without a disconnect, in the order of connecting
    private static IEnumerable<List<(int Number, Recorded Record)>> Clients(RecordingReader recording)
    {
        Dictionary<int, List<(int Number, Recorded Record)>> open = [];
        int number = 0;
        while (recording.Next() is { } record)
        {
            number++;
            if (!open.TryGetValue(record.Client, out List<(int Number, Recorded Record)>? records))
                open[record.Client] = records = [];
            records.Add((number, record));
            if (record.Kind == RecordKind.Disconnected)
            {
                open.Remove(record.Client);
                yield return records;
            }
        }
        foreach (List<(int Number, Recorded Record)> records in open.Values.OrderBy(records => records[0].Number))
            yield return records;
    }
}
