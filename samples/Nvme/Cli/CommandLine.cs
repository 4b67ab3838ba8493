using System.CommandLine;
using System.CommandLine.Parsing;
using VfioUser.Disks;
using VfioUser.Nvme;
using Command = System.CommandLine.Command;

namespace Nvme.Cli;

/// <summary>The command line: demo and serve.</summary>
internal static class CommandLine
{
    public static RootCommand Create()
    {
        Command demo = new("demo", "Serves a disk in memory, drives it as a guest would, verifies, and shows rates.");
        demo.SetAction(_ => Demo.Run(Console.Out));
        return new RootCommand("An NVMe controller for virtual machines: QEMU, Cloud Hypervisor and others attach it over vfio-user.")
        {
            demo,
            Serving(),
        };
    }

    private static Command Serving()
    {
        Argument<string[]> sockets = new("SOCKET")
        {
            Description = "Path of the socket that the virtual machine connects to. Several are controllers that share the disks: paths of one guest, or of guests in a cluster.",
            Arity = ArgumentArity.OneOrMore,
        };
        Option<string[]> disk = new("--disk", "-d") { Description = "File, block device, memory:SIZE, nbd:// or nbd+unix:// address, or rbd:POOL/IMAGE behind a namespace; may be given several times. Without any: a disk in memory." };
        Option<long?> size = new("--size")
        {
            Description = "Size such as 512M or 10G: of the disk in memory, or of a file that is to be made.",
            CustomParser = ParseSize,
        };
        Option<int> queues = new("--queues") { Description = $"I/O queue pairs, 1 to {NvmeControllerOptions.MaxIoQueues}.", DefaultValueFactory = _ => new NvmeControllerOptions().IoQueues };
        queues.Validators.Add(result => RequireRange(result, queues, 1, NvmeControllerOptions.MaxIoQueues));
        Option<NvmeDoorbellKind> doorbells = new("--doorbells")
        {
            Description = "How doorbells arrive: 'trapped' by message, few where the driver has shadow doorbells; 'mapped' on a page that is polled.",
            DefaultValueFactory = _ => new NvmeControllerOptions().Doorbells,
        };
        Option<int> blockSize = new("--block-size") { Description = "Bytes in a logical block: 512 or 4096.", DefaultValueFactory = _ => 512 };
        blockSize.AcceptOnlyFromAmong("512", "4096");
        Option<string?> serial = new("--serial") { Description = "Serial number, up to 20 characters; by default it follows from the first disk." };
        serial.Validators.Add(result =>
        {
            if (result.GetValue(serial) is { Length: > 20 })
                result.AddError("A serial number has up to 20 characters.");
        });
        Option<int> spin = new("--spin")
        {
            Description = "Microseconds that a thread polls for the next command of a guest that has one at a time; takes a processor meanwhile.",
            DefaultValueFactory = _ => (int)new NvmeControllerOptions().Spin.TotalMicroseconds,
        };
        spin.Validators.Add(result => RequireRange(result, spin, 0, 1_000_000));
        Option<int> pause = new("--pause")
        {
            Description = "Microseconds that a thread pauses between two polls while the guest has several commands under way.",
            DefaultValueFactory = _ => (int)new NvmeControllerOptions().Pause.TotalMicroseconds,
        };
        pause.Validators.Add(result => RequireRange(result, pause, 0, 10_000));
        Option<bool> noShadow = new("--no-shadow-doorbells") { Description = "Do not let drivers keep doorbells in their memory." };
        Option<FileCacheMode> cache = new("--cache")
        {
            Description = "How files use the page cache, by QEMU's names: writeback, none (past it, with O_DIRECT), writethrough, directsync, unsafe (flushes do nothing).",
            DefaultValueFactory = _ => new FileDiskOptions().Cache,
        };
        Option<bool> readOnly = new("--read-only") { Description = "Refuse writes." };
        Option<bool> incoming = new("--incoming") { Description = "Another host serves the disks until its guest has migrated here." };
        Option<bool> trust = new("--trust-client-memory") { Description = "Map the machine's memory even if its file could shrink, or has huge pages: for SPDK's host, say." };
        Option<string?> reservations = new("--reservations")
        {
            Description = "Folder in which reservations are kept, a file for each disk, if a guest wants them to outlast this program.",
        };
        Option<bool> noView = new("--no-view") { Description = "Show no rates and queues; as when standard output is no terminal." };

        Command serve = new("serve", "Serves disks on a socket until Ctrl-C.") { sockets, disk, size, cache, queues, doorbells, blockSize, serial, spin, pause, noShadow, readOnly, incoming, trust, reservations, noView };
        serve.SetAction((parsed, _) => Serve.Run(new ServeOptions(
            parsed.GetRequiredValue(sockets),
            parsed.GetValue(disk) ?? [],
            parsed.GetValue(size),
            parsed.GetValue(cache),
            parsed.GetValue(readOnly),
            parsed.GetValue(incoming),
            parsed.GetValue(trust),
            parsed.GetValue(reservations),
            !parsed.GetValue(noView) && !Console.IsOutputRedirected,
            new NvmeControllerOptions
            {
                IoQueues = parsed.GetValue(queues),
                Doorbells = parsed.GetValue(doorbells),
                BlockSize = parsed.GetValue(blockSize),
                SerialNumber = parsed.GetValue(serial),
                Spin = TimeSpan.FromMicroseconds(parsed.GetValue(spin)),
                Pause = TimeSpan.FromMicroseconds(parsed.GetValue(pause)),
                ShadowDoorbells = !parsed.GetValue(noShadow),
            })));
        return serve;
    }

    private static long? ParseSize(ArgumentResult result)
    {
        string text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        if (ByteSize.TryParse(text) is { } size and > 0 && size % 4096 == 0)
            return size;
        result.AddError($"'{text}' is no size: a multiple of 4096 bytes such as 512M or 10G.");
        return null;
    }

    private static void RequireRange(OptionResult result, Option<int> option, int low, int high)
    {
        if (result.GetValueOrDefault<int>() is int value && (value < low || value > high))
            result.AddError($"{option.Name} is from {low} to {high}, not {value}.");
    }
}
