using Microsoft.Extensions.Logging;
using VfioUser;

const string TrustClientMemory = "--trust-client-memory";
bool trust = args.Contains(TrustClientMemory);
if (args.Where(arg => !arg.Equals(TrustClientMemory, StringComparison.Ordinal)).ToArray() is not ["serve", string path])
{
    Console.Error.WriteLine("""
        A CRC-32C engine.

          crc32c serve SOCKET [--trust-client-memory]    serves it until Ctrl-C; maps the client's memory even if its file could shrink
        """);
    return 2;
}

// logs clients and errors to standard error
using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
    .AddSimpleConsole(line => line.SingleLine = true)
    .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
VfioUserServerOptions options = new() { TrustClientMemory = trust, RegisterMap = true, Logger = loggers.CreateLogger("crc32c") };

using var device = new Crc32cDevice();
return await VfioUserServer.RunConsoleAsync(path, device, options);
