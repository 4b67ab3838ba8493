using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Nbd;

/// <summary>A guest's disk on servers that others wrote.</summary>
public sealed class RealServerTests : IDisposable
{
    private const string Qemu = "qemu-nbd -k SOCKET -f raw -t -e 8 -x disk --discard=unmap FOLDER/disk.img";
    private const string QemuDirect = "qemu-nbd -k SOCKET -f raw -t -e 8 -x disk --cache=none FOLDER/disk.img";

    private const string Kit = "nbdkit -f -U SOCKET file FOLDER/disk.img";
    private const string KitSimple = "nbdkit -f --no-sr -U SOCKET file FOLDER/disk.img";
    private const string KitSlow = "nbdkit -f -U SOCKET --filter=delay file FOLDER/disk.img rdelay=2ms wdelay=2ms";
    private const string KitOfBlocks = "nbdkit -f -U SOCKET --filter=blocksize-policy file FOLDER/disk.img blocksize-minimum=4096 blocksize-preferred=16K"
        + " blocksize-maximum=32K blocksize-error-policy=error";

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));
    private readonly DirectoryInfo _sockets = Directory.CreateTempSubdirectory("nbd-");

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _sockets.Delete(recursive: true);
    }

    private NbdServerProcess Start(string server, string socket)
    {
        string image = Path.Combine(_folder.FullName, "disk.img");
        if (!File.Exists(image))
            File.WriteAllBytes(image, new byte[16 << 20]);
        string[] words = server.Replace("FOLDER", _folder.FullName, StringComparison.Ordinal).Split(' ', 2);
        return NbdServerProcess.Start(words[0], words[1], socket);
    }

    private static string Address(string socket) => $"nbd+unix:///disk?socket={socket}";

    [NbdServerTheory]
    [InlineData(Qemu)]
    [InlineData(QemuDirect)]
    [InlineData(Kit)]
    [InlineData(KitSimple)]
    [InlineData(KitSlow)]
    [InlineData(KitOfBlocks)]
    public async Task Guest_reads_what_it_wrote_zeroed_and_trimmed(string server)
    {
        string socket = Path.Combine(_sockets.FullName, "nbd.sock");
        using NbdServerProcess process = Start(server, socket);
        NbdDisk disk = await process.ConnectAsync(Address(socket));
        using Machine machine = new(options: new NvmeControllerOptions { BlockSize = 4096 }, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 128);
        Iova[] pages = [.. Enumerable.Range(0, 100).Select(i => machine.Guest.Place(Machine.Pattern(4096, i)))];

        for (int i = 0; i < pages.Length; i++)
            queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)i, 1, pages[i], fua: i % 10 == 0));
        queue.Ring();
        foreach (Iova _ in pages)
            NvmeDriver.Expect(queue.Take());
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 10, 5)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        Iova range = machine.Guest.Place([.. new byte[4], 5, 0, 0, 0, 50, .. new byte[7]]);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.DatasetManagement, prp1: range) with { Dword10 = 0, Dword11 = 1 << 2, Dword12 = 0 }));
        for (int i = 0; i < pages.Length; i++)
            queue.Put(NewCommand.Io(IoOpcode.Read, (ulong)i, 1, pages[i]));
        queue.Ring();
        foreach (Iova _ in pages)
            NvmeDriver.Expect(queue.Take());

        for (int i = 0; i < pages.Length; i++)
        {
            byte[] expected = i is >= 10 and < 15 ? new byte[4096] : Machine.Pattern(4096, i);
            if (i is < 50 or >= 55) // trimmed blocks are zeros, or as they were
                machine.Read(pages[i], 4096).Should().Equal(expected, "it is block {0}", i);
        }
        queue.Execute(NewCommand.Io(IoOpcode.Read, 4096, 1, pages[0])).Status.Should().Be(Status.LbaOutOfRange, "it has 16 MiB");
    }

    [NbdServerTheory]
    [InlineData(Qemu, false)]
    [InlineData(Kit, false)]
    [InlineData(Kit, true)]
    public async Task Guest_goes_on_when_its_server_has_ended_under_load_and_is_started_again(string server, bool asked)
    {
        string socket = Path.Combine(_sockets.FullName, "nbd.sock");
        NbdServerProcess process = Start(server, socket);
        List<NbdServerProcess> servers = [];
        NbdDisk disk = await process.ConnectAsync(Address(socket), new NbdDiskOptions { RetryInterval = TimeSpan.FromMilliseconds(5) });
        using Machine machine = new(options: new NvmeControllerOptions { BlockSize = 4096 }, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1, 256);
        Iova[] pages = [.. Enumerable.Range(0, 200).Select(i => machine.Guest.Place(Machine.Pattern(4096, i)))];

        for (int round = 0; round < 5; round++)
        {
            for (int i = 0; i < pages.Length; i++)
                queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)(round * 200 + i), 1, pages[i]));
            queue.Ring();
            if (asked)
                process.Stop(); // refuses what it has not done, and ends when its client leaves
            else
                process.Dispose(); // kill -9, with requests in flight
            servers.Add(process);
            process = Start(server, socket);
            foreach (Iova _ in pages)
                NvmeDriver.Expect(queue.Take());
        }
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        process.Dispose();
        servers.ForEach(ended => ended.Dispose());

        byte[] image = await File.ReadAllBytesAsync(Path.Combine(_folder.FullName, "disk.img"));
        for (int block = 0; block < 5 * 200; block++)
            image.AsSpan(block * 4096, 4096).SequenceEqual(Machine.Pattern(4096, block % 200)).Should().BeTrue("block {0} was written", block);
    }

    [NbdServerTheory]
    [InlineData(Qemu + " --read-only")]
    [InlineData(Kit + " -r")]
    public async Task Export_that_may_not_be_written_is_a_protected_namespace(string server)
    {
        string socket = Path.Combine(_sockets.FullName, "nbd.sock");
        using NbdServerProcess process = Start(server, socket);
        using Machine machine = new(disks: [await process.ConnectAsync(Address(socket))]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage())).Status.Should().Be(Status.NamespaceWriteProtected);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }

    [NbdServerTheory]
    [InlineData("EIO", (int)Status.WriteFault)]
    [InlineData("ENOSPC", (int)Status.CapacityExceeded)]
    [InlineData("EPERM", (int)Status.NamespaceWriteProtected)]
    [InlineData("ENOMEM", (int)Status.NamespaceNotReady)]
    public async Task Error_of_the_server_is_the_commands_and_others_go_on(string error, int expected)
    {
        string socket = Path.Combine(_sockets.FullName, "nbd.sock");
        using NbdServerProcess process = Start($"nbdkit -f -U SOCKET --filter=error memory 16M error-pwrite={error} error-pwrite-rate=1", socket);
        NbdDisk disk = await process.ConnectAsync(Address(socket));
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        for (int i = 0; i < 3; i++)
        {
            queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage())).Status.Should().Be((Status)expected);
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
        }
    }
}
