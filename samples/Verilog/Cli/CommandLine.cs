using System.CommandLine;
using Cosimulation;

namespace Verilog.Cli;

/// <summary>The command line: demo and serve.</summary>
internal static class CommandLine
{
    private const string DefaultModel = "samples/Verilog/artifacts/copy_crc.so";

    public static RootCommand Create() => new("A copy engine for virtual machines, simulated from its Verilog.")
    {
        Demonstrating(),
        Serving(),
    };

    private static Command Demonstrating()
    {
        Option<string> model = Model();
        Option<string?> trace = Trace();
        Command demo = new("demo", "Serves the engine, and drives it as a guest would.") { model, trace };
        demo.SetAction((parsed, _) => Reported(() =>
        {
            Demo.Run(Load(parsed.GetRequiredValue(model), parsed.GetValue(trace)));
            return Task.FromResult(0);
        }));
        return demo;
    }

    private static Command Serving()
    {
        Argument<string> socket = new("SOCKET") { Description = "Path of the socket that the virtual machine connects to." };
        Option<string> model = Model();
        Option<string?> trace = Trace();
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the machine's memory even if its file could shrink." };
        Command serve = new("serve", "Serves the engine until Ctrl-C.") { socket, model, trace, trust };
        serve.SetAction((parsed, _) => Reported(() =>
            Serve.RunAsync(parsed.GetRequiredValue(socket), Load(parsed.GetRequiredValue(model), parsed.GetValue(trace)), parsed.GetValue(trust))));
        return serve;
    }

    private static Option<string> Model() => new("--model")
    {
        Description = "The model, which samples/Verilog/build-rtl builds.",
        DefaultValueFactory = _ => DefaultModel,
    };

    private static Option<string?> Trace() => new("--trace")
    {
        Description = "Writes the waveform to this file, in the format VCD: for GTKWave and Surfer.",
    };

    private static VerilatedModel Load(string path, string? trace) => File.Exists(path)
        ? VerilatedModel.Load(path, trace)
        : throw new IOException($"There is no model {path}. samples/Verilog/build-rtl builds it; it needs verilator, g++ and make.");

    private static async Task<int> Reported(Func<Task<int>> run)
    {
        try
        {
            return await run();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"verilog: {e.Message}");
            return 1;
        }
    }
}
