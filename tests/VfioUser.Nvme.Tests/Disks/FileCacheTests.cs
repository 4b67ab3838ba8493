using Microsoft.Win32.SafeHandles;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Disks;

public sealed class FileCacheTests : IDisposable
{
    // not on a tmpfs, which not every kernel can open with O_DIRECT
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));

    private string DiskPath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    private Machine Serve(FileCacheMode cache) =>
        new(options: new NvmeControllerOptions { BlockSize = 4096 }, disks: [FileDisk.Open(DiskPath, new FileDiskOptions { Size = 4 << 20, Cache = cache })]);

    [Theory]
    [InlineData(FileCacheMode.Writeback, true)]
    [InlineData(FileCacheMode.None, true)]
    [InlineData(FileCacheMode.Writethrough, false)]
    [InlineData(FileCacheMode.DirectSync, false)]
    [InlineData(FileCacheMode.Unsafe, true)]
    public void Each_mode_reads_what_was_written_and_says_whether_it_has_a_cache(FileCacheMode cache, bool isVolatile)
    {
        using Machine machine = Serve(cache);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(4096);
        Iova page = machine.NewPage();

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 7, 1, machine.Guest.Place(data))));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 8, 1)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 7, 1, page)));

        machine.Read(page, 4096).Should().Equal(data);
        (machine.Page(NewCommand.Identify(1, default))[525] & 1).Should().Be(isVolatile ? 1 : 0);
    }

    [Theory]
    [InlineData(FileCacheMode.None)]
    [InlineData(FileCacheMode.DirectSync)]
    public void Commands_past_the_page_cache_are_under_way_together_and_read_what_was_written(FileCacheMode cache)
    {
        const int Count = 200;
        using Machine machine = Serve(cache);
        DriverQueue queue = machine.Driver.CreateQueue(1, 256);
        Iova[] written = [.. Enumerable.Range(0, Count).Select(i => machine.Guest.Place(Machine.Pattern(4096, i)))];
        Iova[] read = [.. written.Select(_ => machine.NewPage())];

        foreach ((IoOpcode opcode, Iova[] pages) in new[] { (IoOpcode.Write, written), (IoOpcode.Read, read) })
        {
            for (int i = 0; i < Count; i++)
                queue.Put(NewCommand.Io(opcode, (ulong)i, 1, pages[i]));
            queue.Ring();
            foreach (Iova _ in pages)
                NvmeDriver.Expect(queue.Take());
        }

        for (int i = 0; i < Count; i++)
            machine.Read(read[i], 4096).Should().Equal(Machine.Pattern(4096, i), "it is block {0}", i);
    }

    [Fact]
    public void Controller_is_reset_while_the_kernel_has_accesses_under_way()
    {
        using Machine machine = Serve(FileCacheMode.None);
        for (int round = 0; round < 10; round++)
        {
            DriverQueue queue = machine.Driver.CreateQueue(1, 256);
            Iova page = machine.Guest.Place(Machine.Pattern(4096, round));
            for (int i = 0; i < 200; i++)
                queue.Put(NewCommand.Io(IoOpcode.Write, (ulong)i, 1, page));
            queue.Ring();

            machine.Driver.Disable();
            machine.Driver.Enable();
        }

        DriverQueue last = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(last.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));
    }

    [Fact]
    public void Growth_is_told_and_the_new_blocks_can_be_written()
    {
        using FileDisk disk = FileDisk.Open(DiskPath, 1 << 20);
        using Machine machine = new(disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: 1 << 8)));
        ushort request = machine.Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        Completion before = queue.Execute(NewCommand.Io(IoOpcode.Write, 2048, 1, machine.NewPage()));

        using (SafeFileHandle file = FileSystemCalls.OpenUnlocked(DiskPath))
            RandomAccess.SetLength(file, 2 << 20);
        disk.UpdateSize();

        Completion told = machine.Admin.Take();
        told.CommandId.Should().Be(request);
        told.Result.Should().Be(0x0004_0002u, "a notice: Namespace Attribute Changed, read log page 4");
        byte[] changed = machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)LogPageId.ChangedNamespaces | 1023u << 16));
        BitConverter.ToUInt32(changed).Should().Be(1);
        BitConverter.ToUInt32(changed, 4).Should().Be(0);
        BitConverter.ToUInt64(machine.Page(NewCommand.Identify(0, default, nsid: 1))).Should().Be(4096);
        before.Status.Should().Be(Status.LbaOutOfRange);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 2048, 1, machine.NewPage())));
        byte[] again = machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0xFFFF_FFFF, default, (uint)LogPageId.ChangedNamespaces | 1023u << 16));
        BitConverter.ToUInt32(again).Should().Be(0, "it was read");
    }
}
