using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using My_Device1;
using VfioUser;

// maps guest memory even if the client could truncate its file, for trusted clients
const string TrustClientMemory = "--trust-client-memory";
bool trust = args.Contains(TrustClientMemory);
if (args.Where(arg => !arg.Equals(TrustClientMemory, StringComparison.Ordinal)).ToArray() is not [string socket])
{
    Console.Error.WriteLine($"usage: My-Device1 SOCKET [{TrustClientMemory}]");
    return 2;
}

using CancellationTokenSource stop = new();
using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
// logs clients and errors to standard error
using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(line => line.SingleLine = true)
    .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
VfioUserServerOptions options = new() { TrustClientMemory = trust, Logger = loggers.CreateLogger("My-Device1") };
try
{
    using VfioUserServer server = VfioUserServer.Bind(socket, options);
    Console.WriteLine($$$"""
        The device is on {{{socket}}}; Ctrl-C ends it. QEMU 10.1 or newer attaches it with

          qemu-system-x86_64 -machine q35,memory-backend=ram -m 512M \
            -object memory-backend-memfd,id=ram,size=512M,share=on \
            -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"{{{Path.GetFullPath(socket)}}}"}}' ...
        """);
    using Card card = new();
    server.Run(card, stop.Token);
    return 0;
}
catch (IOException e)
{
    Console.Error.WriteLine($"My-Device1: {e.Message}");
    return 1;
}

void End(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}
