using System.CommandLine;
using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Tool.Capturing;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Tracing;

/// <summary><c>vfio-user trace</c>: forwards and prints the messages between a client and a server; or prints a recording.</summary>
internal static class TraceCommand
{
    private const int LongestData = 16 << 20;

    public static Command Create(Terminal terminal)
    {
        Command command = new("trace", "Forwards messages between a client and a server, and prints and records them");
        Argument<string?> listen = new("LISTEN") { Description = "Where clients connect: a path, or @name", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> server = new("SERVER") { Description = "The server's socket", Arity = ArgumentArity.ZeroOrOne };
        Option<string?> record = new("--record") { Description = "Write all messages to a file, for --read and replay" };
        Option<string?> read = new("--read") { Description = "Print a recording, in place of listening" };
        Option<string?> pcapng = new("--pcapng") { Description = "Write all messages to a file for Wireshark; with --read, convert the recording" };
        Option<bool> dissector = new("--dissector") { Description = "Print Wireshark's dissector of such files, a Lua plugin" };
        Option<bool> json = new("--json") { Description = "A JSON object a line" };
        Option<int> data = new("--data") { Description = "Bytes of data to print of a message", DefaultValueFactory = _ => 16 };
        Option<double> timeout = ServerArguments.TimeoutOption("Seconds that the server may take to accept a client");
        Option<bool> names = new("--names") { Description = "Name registers and fields: reads the names over a connection before the first client's" };
        Option<bool> quiet = new("--quiet") { Description = "Print no messages; with --read only what is wrong with the recording" };
        foreach (Option file in new[] { record, read, pcapng })
            file.Validators.Add(FilePath.NotEmpty);
        command.Add(listen);
        command.Add(server);
        foreach (Option option in new Option[] { record, read, pcapng, dissector, json, data, names, quiet })
            command.Add(option);
        FilterArguments filter = FilterArguments.AddTo(command);
        command.Add(timeout);
        command.Validators.Add(result =>
        {
            if (result.GetValue(data) is < 0 or > LongestData)
                result.AddError($"--data takes bytes, {LongestData} at most.");
            if (!result.GetValue(dissector) && ProblemOf(result.GetValue(listen), result.GetValue(server), result.GetValue(read), result.GetValue(record), result.GetValue(names)) is { } problem)
                result.AddError(problem);
        });
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(dissector))
                return PrintDissector(terminal);
            TraceNames? registers = parsed.GetValue(names) ? new TraceNames() : null;
            List<ITraceSink> sinks = parsed.GetValue(quiet) ? [] : [filter.Before(Printed(terminal, parsed.GetValue(json), parsed.GetValue(data), registers), parsed)];
            if (parsed.GetValue(read) is { } file)
                return Read(terminal, file, sinks, parsed.GetValue(pcapng));
            using RecordingWriter? recording = parsed.GetValue(record) is { } path ? new RecordingWriter(path) : null;
            using PcapngWriter? capture = parsed.GetValue(pcapng) is { } other ? new PcapngWriter(other, DateTimeOffset.UtcNow, registers) : null;
            sinks.AddRange(new ITraceSink?[] { recording, capture }.OfType<ITraceSink>());
            return Trace(terminal, parsed.GetValue(listen)!, parsed.GetValue(server)!, TimeSpan.FromSeconds(parsed.GetValue(timeout)), parsed.GetValue(json),
                registers, new TraceOutput(sinks));
        });
        return command;
    }

    private static string? ProblemOf(string? listen, string? server, string? read, string? record, bool names)
    {
        if (read is null ? listen is null || server is null : listen is not null || record is not null)
            return "Either LISTEN and SERVER, or --read FILE.";
        return names && read is not null ? "--names needs a server, which --read does not have." : null;
    }

    private static ITraceSink Printed(Terminal terminal, bool json, int data, TraceNames? names) =>
        json ? new JsonTrace(terminal.Out, data, names) : new TextTrace(terminal, data, names);

    private static int PrintDissector(Terminal terminal)
    {
        terminal.Out.Write(Dissector.Text());
        return ExitCode.Success;
    }

    private static int Trace(Terminal terminal, string listen, string server, TimeSpan timeout, bool json, TraceNames? names, TraceOutput output)
    {
        using SocketListener clients = Endpoints.Listen(listen);
        terminal.Out.WriteLine(json ? """{"event":"listening"}""" : $"listening on {listen} for {server}; → is to the server, ← to the client");
        new InterposedServer(clients, Connect, output, ReportProblem).Run(terminal.Stop);
        return ExitCode.Success;

        SafeSocketHandle Connect()
        {
            if (names?.ReadOnce(() => NamesOf(server, timeout, terminal.Stop)) is { } problem)
                ReportProblem(problem);
            return Endpoints.Connect(server, timeout, terminal.Stop);
        }

        void ReportProblem(string problem) => terminal.Error.WriteLine($"vfio-user: {problem}");
    }

    private static RegisterNames NamesOf(string server, TimeSpan timeout, CancellationToken stop)
    {
        VfioUserClientOptions options = new() { Timeout = timeout, ConnectTimeout = timeout, Cancellation = stop };
        using VfioUserClient client = VfioUserClient.Connect(server, options);
        return MapReader.Read(client);
    }

    private static int Read(Terminal terminal, string file, List<ITraceSink> sinks, string? pcapng)
    {
        using RecordingReader recording = new(file);
        using PcapngWriter? capture = pcapng is null ? null : new PcapngWriter(pcapng, recording.Start);
        if (capture is not null)
            sinks.Add(capture);
        while (!terminal.Stop.IsCancellationRequested && recording.Next() is { } record)
            sinks.ForEach(record.PassTo);
        if (recording.IsCutOff)
            terminal.Error.WriteLine(RecordingReader.CutOff);
        return terminal.Stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Success;
    }
}
