using Cosimulation;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Verilog.Cli;

/// <summary>Serves the engine to virtual machines until Ctrl-C.</summary>
internal static class Serve
{
    public static async Task<int> RunAsync(string socket, VerilatedModel model, bool trustClientMemory)
    {
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        using CopyCard card = new(model);
        return await VfioUserServer.RunConsoleAsync(socket, card, new() { TrustClientMemory = trustClientMemory, Logger = loggers.CreateLogger("verilog") });
    }
}
