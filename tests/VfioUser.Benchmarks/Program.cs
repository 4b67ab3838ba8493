using BenchmarkDotNet.Running;
using VfioUser.Benchmarks;
using VfioUser.Disks;

switch (args)
{
    case ["compare", .. string[] options]:
        return Comparison.RunPinned(options);
    case ["measure", .. string[] options]:
        return Comparison.Measure(options);
    case ["floor", string path]:
        FloorServer.Run(path);
        return 0;
    case ["floor-accepts", string path]:
        AcceptingFloor.Run(path);
        return 0;
    case ["ours", string path, "adaptive"]:
        OurServer.Run(path, spinMicroseconds: null);
        return 0;
    case ["ours" or "ours-spinning", string path, string spin]:
        OurServer.Run(path, int.Parse(spin, System.Globalization.CultureInfo.InvariantCulture));
        return 0;
    case ["waits", .. string[] words]:
        return Waits.RunPinned(words);
    case ["measure-waits", .. string[] words]:
        return Waits.Measure(words);
    case ["many", .. string[] words]:
        return ManyDevices.RunPinned(words);
    case ["measure-many", .. string[] words]:
        return ManyDevices.Measure(words);
    case ["devices", string folder, string threads]:
        DevicesProcess.Run(folder, int.Parse(threads, System.Globalization.CultureInfo.InvariantCulture), spins: true);
        return 0;
    case ["devices", string folder, string threads, "sleeping"]:
        DevicesProcess.Run(folder, int.Parse(threads, System.Globalization.CultureInfo.InvariantCulture), spins: false);
        return 0;
    case ["hammer", string folder, string first, string count, string busy]:
        Hammer.Run(folder, int.Parse(first, System.Globalization.CultureInfo.InvariantCulture), int.Parse(count, System.Globalization.CultureInfo.InvariantCulture), int.Parse(busy, System.Globalization.CultureInfo.InvariantCulture));
        return 0;
    case ["nvme", .. string[] doorbells]:
        return NvmeComparison.Run(doorbells);
    case ["virtio-block", .. string[] layouts]:
        return VirtioComparison.Run(layouts);
    case ["virtio-block-server", string path]:
        VirtioServer.Run(path);
        return 0;
    case ["virtio-block-server", string path, string layout, string serial]:
        VirtioServer.Run(path, layout, serial);
        return 0;
    case ["virtio-guest", .. string[] words]:
        await VirtioInGuest.Run(words);
        return 0;
    case ["boot-guest"]:
        await BootInGuest.Run();
        return 0;
    case ["boot-server", string gpio, string nvme, string wait]:
        BootServer.Run(gpio, nvme, string.Equals(wait, "sleeping", StringComparison.Ordinal));
        return 0;
    case ["nvme-many", .. string[] words]:
        return ManyControllers.Run(words);
    case ["nvme-many-server", string folder, string count]:
        ManyControllers.Serve(folder, int.Parse(count, System.Globalization.CultureInfo.InvariantCulture));
        return 0;
    case ["nvme-file", .. string[] folder]:
        return NvmeFile.Run(folder.FirstOrDefault());
    case ["nvme-disk", string address, string engine]:
        return NvmeDisk.Run(address, engine, FileCacheMode.Writeback);
    case ["nvme-disk", string address, string engine, string cache]:
        return NvmeDisk.Run(address, engine, Enum.Parse<FileCacheMode>(cache, ignoreCase: true));
    case ["start", string program]:
        return ProgramStart.Run(program);
    case ["cold", .. string[] words]:
        return ColdStarts.Run(words);
    case ["nvme-guest", .. string[] words]:
        await NvmeInGuest.Run(words);
        return 0;
    case ["nvme-server", string path, string doorbells]:
        NvmeServer.Run(path, Enum.Parse<NvmeDoorbells>(doorbells), address: null);
        return 0;
    case ["nvme-server", string path, string doorbells, string address]:
        NvmeServer.Run(path, Enum.Parse<NvmeDoorbells>(doorbells), address);
        return 0;
    case ["nvme-server", string path, string doorbells, string address, string cache]:
        NvmeServer.Run(path, Enum.Parse<NvmeDoorbells>(doorbells), address, Enum.Parse<FileCacheMode>(cache));
        return 0;
    case ["nvme-floor", string path]:
        NvmeFloorServer.Run(path);
        return 0;
    case ["e1000-guest", .. string[] words]:
        await CardsInGuests.Run(CardKind.E1000, words);
        return 0;
    case ["virtio-net-guest", .. string[] words]:
        await CardsInGuests.Run(CardKind.VirtioNet, words);
        return 0;
    case ["card-server", string kind, string folder, string spin, string delay]:
        CardServer.Run(CardKind.Named(kind), folder, int.TryParse(spin, System.Globalization.CultureInfo.InvariantCulture, out int fixedSpin) ? fixedSpin : null, int.Parse(delay, System.Globalization.CultureInfo.InvariantCulture));
        return 0;
    case ["micro", .. string[] rest]:
        BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(rest.Length == 0 ? ["--filter", "*"] : rest);
        return 0;
    default:
        Console.WriteLine("""
            compare [NAME...]   the library beside bare sockets, end to end; only rows whose name holds a NAME
              --quick           fewer alternations; fails only where a target is missed by half
              --peer NAME=COMMAND  another server of the same device beside it; {socket} in COMMAND is where it is to listen
            waits               a server that adapts its polling beside one that sleeps at once and the floor
            waits rates [SVG]   latency and processor time over the rate of register reads; draws them, too
            boot-guest          a guest's boot with GPIO and NVMe: time, and processor time of the server, with and without polling
            many [WORD...]      memory, threads, descriptors and latency with up to 5,000 attached devices; words are numbers of devices,
                                own or shared (threads)
            nvme [DOORBELLS...] the NVMe sample beside the same copies and signals; doorbells are shadow, mapped, trapped
            nvme-many [COUNT]   36 controllers in one process, all busy: whether each gets its share
            virtio-block [LAYOUT...] the virtio disk beside the same copies and signals; layouts are split, packed
            virtio-guest [WORD...] fio in a guest on the virtio disk beside QEMU's own, and an idle server; words are packed (rings of
                                both), 1, 2, 4 (processors of the guest)
            nvme-guest [WORD...] fio in a guest on the NVMe sample beside QEMU's own device; words are memory, file (its disk),
                                shadow, mapped, trapped (doorbells), 1, 2, 4 (processors of the guest), strict (with an IOMMU)
            e1000-guest [WORD...] TCP between two guests on the E1000 sample beside QEMU's own card; words are a number of alternations,
                                pingpong or stream, spin=MICROSECONDS and delay=MICROSECONDS (of interrupts for sent frames)
            virtio-net-guest [WORD...] the same for VirtioNet beside QEMU's own; the latter's backend has no offloads
            nvme-file [FOLDER]  the NVMe sample on a file beside fio, which has to be installed, on that file
            nvme-disk ADDRESS ENGINE [CACHE]  the NVMe sample on a file, an NBD export or an image in Ceph beside fio on one: ENGINE is what
                                fio is told, such as '--ioengine=nbd --uri=...'; CACHE is how a file is cached, such as none (O_DIRECT)
            start PROGRAM       a published NVMe sample: size, time until a client is attached, resident memory
            cold [KIND...]      the first second of a served device: start, first connection, first reads; kinds are jit, r2r, aot.
                                Publishes tests/VfioUser.ColdServer: run it in the repository's folder
            micro [ARGS...]     BenchmarkDotNet: allocations and time of the hot paths
            """);
        return args.Length == 0 ? 0 : 2;
}
