using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using VfioUser;

const string TrustClientMemory = "--trust-client-memory";
bool trust = args.Contains(TrustClientMemory);
if (args.Where(arg => !arg.Equals(TrustClientMemory, StringComparison.Ordinal)).ToArray() is not ["serve", string path])
{
    Console.Error.WriteLine("""
        A device with nothing but an identity.

          null serve SOCKET [--trust-client-memory]    serves it until Ctrl-C; maps the client's memory even if its file could shrink
        """);
    return 2;
}

using CancellationTokenSource stop = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
// logs clients and errors to standard error
using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(line => line.SingleLine = true)
    .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
try
{
    using VfioUserServer server = VfioUserServer.Bind(path, new() { TrustClientMemory = trust, Logger = loggers.CreateLogger("null") });
    Console.WriteLine($"The device is on {path}. QEMU 10.1 or newer attaches it with");
    Console.WriteLine($"  -device '{{\"driver\":\"vfio-user-pci\",\"socket\":{{\"type\":\"unix\",\"path\":\"{Path.GetFullPath(path)}\"}}}}'");
    Console.WriteLine("Ctrl-C ends it.");
    using NullDevice device = new();
    server.Run(device, stop.Token);
    return 0;
}
catch (IOException e)
{
    Console.Error.WriteLine($"null: {e.Message}");
    return 1;
}

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
