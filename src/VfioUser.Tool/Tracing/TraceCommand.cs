using System.CommandLine;
using System.Net.Sockets;
using VfioUser.Client;
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
        Option<bool> json = new("--json") { Description = "A JSON object a line" };
        Option<int> data = new("--data") { Description = "Bytes of data to print of a message", DefaultValueFactory = _ => 16 };
        Option<double> timeout = ServerArguments.TimeoutOption("Seconds that the server may take to accept a client");
        Option<bool> names = new("--names") { Description = "Name registers and fields: reads the names over a connection before the first client's" };
        Option<bool> quiet = new("--quiet") { Description = "Print no messages; with --read only what is wrong with the recording" };
        record.Validators.Add(FilePath.NotEmpty);
        read.Validators.Add(FilePath.NotEmpty);
        command.Add(listen);
        command.Add(server);
        command.Add(record);
        command.Add(read);
        command.Add(json);
        command.Add(data);
        command.Add(names);
        command.Add(quiet);
        command.Add(timeout);
        command.Validators.Add(result =>
        {
            if (result.GetValue(data) is < 0 or > LongestData)
                result.AddError($"--data takes bytes, {LongestData} at most.");
            bool both = result.GetValue(listen) is not null && result.GetValue(server) is not null;
            if (result.GetValue(read) is null ? !both : result.GetValue(listen) is not null || result.GetValue(record) is not null)
                result.AddError("Either LISTEN and SERVER, or --read FILE.");
            if (result.GetValue(names) && result.GetValue(read) is not null)
                result.AddError("--names needs a server, which --read does not have.");
        });
        command.SetAction(parsed =>
        {
            TraceNames? registers = parsed.GetValue(names) ? new TraceNames() : null;
            ITraceSink printed = parsed.GetValue(json)
                ? new JsonTrace(terminal.Out, parsed.GetValue(data), registers)
                : new TextTrace(terminal, parsed.GetValue(data), registers);
            if (parsed.GetValue(read) is { } file)
                return Read(terminal, file, parsed.GetValue(quiet) ? null : printed);
            using RecordingWriter? recording = parsed.GetValue(record) is { } path ? new RecordingWriter(path) : null;
            List<ITraceSink> sinks = parsed.GetValue(quiet) ? [] : [printed];
            if (recording is not null)
                sinks.Add(recording);
            return Trace(terminal, parsed.GetValue(listen)!, parsed.GetValue(server)!, TimeSpan.FromSeconds(parsed.GetValue(timeout)), parsed.GetValue(json),
                registers, new TraceOutput(sinks));
        });
        return command;
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

    private static int Read(Terminal terminal, string file, ITraceSink? printed)
    {
        using RecordingReader recording = new(file);
        while (!terminal.Stop.IsCancellationRequested && recording.Next() is { } record)
        {
            if (printed is not null)
                record.PassTo(printed);
        }
        if (recording.IsCutOff)
            terminal.Error.WriteLine(RecordingReader.CutOff);
        return terminal.Stop.IsCancellationRequested ? ExitCode.Interrupted : ExitCode.Success;
    }
}
