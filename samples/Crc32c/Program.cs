using Microsoft.Extensions.Logging;
using VfioUser;

const string TrustClientMemory = "--trust-client-memory"; // maps guest memory even if its file could shrink
bool trust = args.Contains(TrustClientMemory);
string path = args.FirstOrDefault(arg => !arg.Equals(TrustClientMemory, StringComparison.Ordinal)) ?? Path.Combine(Path.GetTempPath(), "crc32c.sock");
// logs clients and errors to standard error
using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(line => line.SingleLine = true)
    .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
VfioUserServerOptions options = new() { TrustClientMemory = trust, Logger = loggers.CreateLogger("crc32c") };

using var server = VfioUserServer.Bind(path, options);
using var device = new Crc32cDevice();
Console.WriteLine($"CRC-32C engine on {path}. Ctrl-C ends it.");
server.Run(device);
