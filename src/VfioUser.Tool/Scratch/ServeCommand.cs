using System.CommandLine;
using System.Text;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Faults;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Scratch;

/// <summary><c>vfio-user serve</c>: serves a device from a description, with faults on request.</summary>
internal static class ServeCommand
{
    private const int LongestPath = 107;

    public static Command Create(Terminal terminal)
    {
        Command command = new("serve", "Serves a scratch device from a description, with faults on request");
        Argument<string?> socket = new("SOCKET") { Description = "Where to listen: a path, or @name", Arity = ArgumentArity.ZeroOrOne };
        Argument<string?> file = new("DESCRIPTION") { Description = "The device, as JSON", Arity = ArgumentArity.ZeroOrOne };
        Option<bool> example = new("--example") { Description = "Print a description with everything in it" };
        Option<string[]> faults = new("--fault") { Description = "refuse:COMMAND:ERRNO, delay:COMMAND:TIME, no-reply:COMMAND, close:on:COMMAND, each with @N for the Nth time only; close:after:N" };
        Option<bool> trace = new("--trace") { Description = "Print all messages, as trace does" };
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the client's memory even if its file could shrink, or has huge pages" };
        Option<string?> inspection = new("--inspect") { Description = "Where inspect and top connect: a path, or @name" };
        inspection.Validators.Add(FilePath.NotEmpty);
        inspection.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => Encoding.UTF8.GetByteCount(token.Value) > LongestPath))
                result.AddError($"--inspect takes a path of at most {LongestPath} bytes.");
        });
        command.Add(socket);
        command.Add(file);
        command.Add(example);
        command.Add(faults);
        command.Add(trace);
        command.Add(trust);
        command.Add(inspection);
        command.Validators.Add(result =>
        {
            if (!result.GetValue(example) && (result.GetValue(socket) is null || result.GetValue(file) is null))
                result.AddError("SOCKET and DESCRIPTION say what to serve where; --example prints a description to begin with.");
            if (result.GetResult(file) is { } path)
                FilePath.NotEmpty(path);
            try
            {
                _ = Parse(result.GetValue(faults));
            }
            catch (FormatException e)
            {
                result.AddError($"--fault {e.Message}");
            }
        });
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(example))
            {
                terminal.Out.WriteLine(ScratchExample.Text);
                return ExitCode.Success;
            }
            using ScratchDevice device = new ScratchDevice(DeviceFileReader.Read(parsed.GetValue(file)!)).Checked();
            Serve(terminal, parsed.GetValue(socket)!, device, Parse(parsed.GetValue(faults)), parsed.GetValue(trace),
                new VfioUserServerOptions { TrustClientMemory = parsed.GetValue(trust), InspectionPath = parsed.GetValue(inspection), Logger = new TerminalLogger(terminal) });
            return ExitCode.Success;
        });
        return command;
    }

    private static Fault[] Parse(string[]? faults) => [.. (faults ?? []).Select(Fault.Parse)];

    private static void Serve(Terminal terminal, string socket, ScratchDevice device, Fault[] faults, bool trace, VfioUserServerOptions options)
    {
        if (faults.Length > 0 || trace)
        {
            using SocketListener clients = Endpoints.Listen(socket);
            using InProcessServer inner = new(device, options);
            terminal.Out.WriteLine($"serving on {socket}");
            TraceOutput output = new(trace ? [new TextTrace(terminal, dataLimit: 16)] : []);
            new InterposedServer(clients, () => inner.Connect(terminal.Stop), output, problem => terminal.Error.WriteLine($"vfio-user: {problem}"),
                new FaultStage(faults, terminal.Stop)).Run(terminal.Stop);
            return;
        }
        using VfioUserServer server = Bind(socket, options);
        terminal.Out.WriteLine($"serving on {socket}");
        server.Run(device, terminal.Stop);
    }

    private static VfioUserServer Bind(string socket, VfioUserServerOptions options)
    {
        try
        {
            return socket is ['@', .. string name] ? VfioUserServer.BindAbstract(name, options) : VfioUserServer.Bind(socket, options);
        }
        catch (ArgumentException)
        {
            throw new ToolException($"'{socket}' cannot be a socket's path: it is empty or too long.");
        }
    }
}
