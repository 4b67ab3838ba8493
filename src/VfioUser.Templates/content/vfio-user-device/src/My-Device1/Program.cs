using Microsoft.Extensions.Logging;
using My_Device1;
using VfioUser;

// maps guest memory even if the client could truncate its file, for trusted clients
const string TrustClientMemory = "--trust-client-memory";
bool trust = args.Contains(TrustClientMemory);
if (args.Where(arg => !arg.Equals(TrustClientMemory, StringComparison.Ordinal)).ToArray() is not [string socket] || socket.StartsWith('-'))
{
    Console.Error.WriteLine($"usage: My-Device1 SOCKET [{TrustClientMemory}]");
    return 2;
}

// logs clients and errors to standard error
using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(line => line.SingleLine = true)
    .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
VfioUserServerOptions options = new() { TrustClientMemory = trust, RegisterMap = true, Logger = loggers.CreateLogger("My-Device1") };
using Card card = new();
return await VfioUserServer.RunConsoleAsync(socket, card, options);
