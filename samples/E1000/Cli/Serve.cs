using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using E1000.Device;
using E1000.Network;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace E1000.Cli;

/// <summary>Serves a card on each socket, and joins them, until Ctrl-C.</summary>
internal static class Serve
{
    public static async Task RunAsync(string[] sockets, string? pcap, bool trustClientMemory)
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        using PcapFile? file = pcap is null ? null : new PcapFile(File.Create(pcap));
        Switch middle = new();
        await using VfioUserHost host = new(new() { Threads = Math.Min(sockets.Length, Environment.ProcessorCount), DisposeDevices = true });
        for (int i = 0; i < sockets.Length; i++)
        {
            PhysicalAddress address = new([0x52, 0x54, 0x00, 0x12, (byte)(i >> 8), (byte)i]);
            NetworkCard card = new(new() { Address = address });
            INetworkPort port = middle.Connect(card);
            card.Plug(file is null ? port : file.InFrontOf(port));
            host.Add(card, sockets[i], new() { TrustClientMemory = trustClientMemory, RegisterMap = true, Logger = loggers.CreateLogger($"e1000 {i}") });
            Console.WriteLine($"A card with the address {Text.Of(address)} is on {sockets[i]}.");
        }
        Console.WriteLine("QEMU 10.1 or newer attaches one with");
        Console.WriteLine($"  -nic none {VfioUserServer.QemuArgumentsFor(sockets[0])}");
        Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=512M,share=on -machine q35,memory-backend=ram");
        Console.WriteLine("Ctrl-C ends it.");
        await Task.WhenAny(Task.WhenAll(host.Devices.Select(device => device.Completion)), stopped.Task);
        if (file?.Failure is { } failure)
            throw failure;

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopped.TrySetResult();
        }
    }
}
