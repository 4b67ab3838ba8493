using System.Net.NetworkInformation;
using System.Runtime.InteropServices;
using E1000.Device;
using Microsoft.Extensions.Logging;
using VfioUser;
using VfioUser.Network;

namespace E1000.Cli;

/// <summary>Serves a card on each socket, and joins them, until Ctrl-C.</summary>
internal static class Serve
{
    public static async Task RunAsync(string[] sockets, string? pcap, string? tap, VfioUserServerOptions options)
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        // logs clients and errors to standard error
        using ILoggerFactory loggers = LoggerFactory.Create(logging => logging
            .AddSimpleConsole(line => line.SingleLine = true)
            .AddConsole(console => console.LogToStandardErrorThreshold = LogLevel.Trace));
        using PcapFile? file = pcap is null ? null : new PcapFile(File.Create(pcap));
        NetworkSwitch middle = new();
        using TapInterface? hostInterface = tap is null ? null : TapInterface.Open(tap);
        // a card with a thread of its own answers soonest; many would only take turns
        int threads = sockets.Length > Environment.ProcessorCount ? Environment.ProcessorCount : 0;
        await using VfioUserHost host = new(new() { Threads = threads, DisposeDevices = true });
        for (int i = 0; i < sockets.Length; i++)
        {
            PhysicalAddress address = new([0x52, 0x54, 0x00, 0x12, (byte)(i >> 8), (byte)i]);
            NetworkCard card = new(new() { Address = address });
            card.Plug(PortOf(card));
            host.Add(card, sockets[i], options with { Logger = loggers.CreateLogger($"e1000 {i}") });
            Console.WriteLine($"A card with the address {Text.Of(address)} is on {sockets[i]}.");
        }
        if (hostInterface is not null)
        {
            hostInterface.Plug(PortOf(hostInterface));
            Console.WriteLine($"They are joined with the interface {hostInterface.Name}; if it is new: ip link set {hostInterface.Name} up");
        }
        Console.WriteLine("QEMU 10.1 or newer attaches one with");
        Console.WriteLine($"  -nic none {VfioUserServer.QemuArgumentsFor(sockets[0])}");
        Console.WriteLine("and a guest whose memory is shared: -object memory-backend-memfd,id=ram,size=512M,share=on -machine q35,memory-backend=ram");
        Console.WriteLine("Ctrl-C ends it.");
        await Task.WhenAny(Task.WhenAll(host.Devices.Select(device => device.Completion)), hostInterface?.Completion ?? stopped.Task, stopped.Task);
        if (hostInterface is { Completion.IsFaulted: true })
            await hostInterface.Completion;
        if (file?.Failure is { } failure)
            throw failure;

        INetworkPort PortOf(INetworkPort station)
        {
            INetworkPort port = middle.Connect(station);
            return file is null ? port : file.InFrontOf(port);
        }

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            stopped.TrySetResult();
        }
    }
}
