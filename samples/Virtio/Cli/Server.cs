using System.CommandLine;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Virtio.Cli;

/// <summary>Serves devices to virtual machines until Ctrl-C.</summary>
internal static class Server
{
    public static async Task<int> Run(DeviceKind kind, ParseResult parsed, IReadOnlyList<string> sockets, bool trustClientMemory, CancellationToken stop)
    {
        try
        {
            await using ServedDevices served = await kind.OpenAsync(parsed, sockets.Count);
            await Run(kind, served, sockets, trustClientMemory, stop);
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or TimeoutException)
        {
            await Console.Error.WriteLineAsync($"virtio: {e.Message}");
            return 1;
        }
    }

    private static async Task Run(DeviceKind kind, ServedDevices served, IReadOnlyList<string> sockets, bool trustClientMemory, CancellationToken cancelled)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        using PosixSignalRegistration hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, HangUp);
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        List<VfioUserServer> servers = [];
        try
        {
            foreach (string socket in sockets)
                servers.Add(VfioUserServer.Bind(socket, new() { TrustClientMemory = trustClientMemory, Logger = loggers.CreateLogger($"virtio {kind.Name}") }));
            Console.WriteLine($"{kind.Name} on {string.Join(", ", sockets)}. QEMU 10.1 or newer attaches it with");
            foreach (VfioUserServer server in servers)
                Console.WriteLine($"  {server.QemuArguments}");
            Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=1G,share=on -machine q35,memory-backend=ram");
            Console.WriteLine("Ctrl-C ends it.");
            await Task.WhenAll(servers.Select((server, i) => server.RunAsync(served.Devices[i], stop.Token)));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // serving was cancelled
        }
        finally
        {
            foreach (VfioUserServer server in servers)
                server.Dispose();
        }

        void HangUp(PosixSignalContext signal)
        {
            signal.Cancel = true;
            served.HangUp?.Invoke();
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stop.Cancel();
        }
    }
}
