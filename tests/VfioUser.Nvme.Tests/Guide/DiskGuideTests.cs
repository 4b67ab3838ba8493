using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Guide;

/// <summary>The disks of docs/disks.md, as a guest's driver uses them.</summary>
public sealed class DiskGuideTests
{
    private static readonly NvmeControllerOptions Blocks4096 = new() { BlockSize = 4096 };

    // a page or two
    private static Completion Write(Machine machine, DriverQueue queue, ulong lba, byte[] data)
    {
        Iova pages = machine.Guest.Memory.Allocate((ulong)data.Length);
        machine.Guest.Memory.Write(pages, data);
        return queue.Execute(NewCommand.Io(IoOpcode.Write, lba, data.Length / 4096, pages, pages + 4096));
    }

    private static byte[] Read(Machine machine, DriverQueue queue, ulong lba)
    {
        Iova page = machine.NewPage();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, lba, 1, page)));
        return machine.Read(page, 4096);
    }

    [Fact]
    public void Encrypted_block_is_read_as_it_was_written_and_is_not_on_the_disk_below()
    {
        MemoryDisk below = new(10 * 4608);
        using Machine machine = new(options: Blocks4096, disks: [new EncryptedDisk(below, new byte[32])]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(8192);

        NvmeDriver.Expect(Write(machine, queue, 4, data));

        Read(machine, queue, 4).Should().Equal(data[..4096]);
        Read(machine, queue, 5).Should().Equal(data[4096..]);
        Read(machine, queue, 6).Should().Equal(new byte[4096]);
        byte[] stored = new byte[below.Size];
        below.Read(0, stored);
        stored.AsSpan().IndexOf(data.AsSpan(0, 16)).Should().Be(-1);
    }

    [Theory]
    [InlineData(4 * 4608 + 100, true)] // a byte of the block is changed
    [InlineData(4 * 4608 + 4096 + 20, true)] // a byte of the tag
    [InlineData(5 * 4608, false)] // of another block
    public void Encrypted_block_that_was_changed_below_is_an_error(long changed, bool fails)
    {
        MemoryDisk below = new(10 * 4608);
        using Machine machine = new(options: Blocks4096, disks: [new EncryptedDisk(below, new byte[32])]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(Write(machine, queue, 4, Machine.Pattern(4096)));
        byte[] at = new byte[1];
        below.Read(changed, at);

        below.Write(changed, [(byte)(at[0] ^ 1)]);

        queue.Execute(NewCommand.Io(IoOpcode.Read, 4, 1, machine.NewPage())).Status.Should().Be(fails ? Status.GuardCheckError : Status.Success);
    }

    [Fact]
    public void Encrypted_block_in_the_place_of_another_is_an_error()
    {
        MemoryDisk below = new(10 * 4608);
        using Machine machine = new(options: Blocks4096, disks: [new EncryptedDisk(below, new byte[32])]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        NvmeDriver.Expect(Write(machine, queue, 4, Machine.Pattern(4096)));
        byte[] block = new byte[4608];
        below.Read(4 * 4608, block);

        below.Write(7 * 4608, block);

        queue.Execute(NewCommand.Io(IoOpcode.Read, 7, 1, machine.NewPage())).Status.Should().Be(Status.GuardCheckError);
    }

    [Fact]
    public void Faulty_disk_fails_where_and_when_it_is_told_to()
    {
        FaultyDisk disk = new(new MemoryDisk(1 << 20));
        using Machine machine = new(options: Blocks4096, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        disk.Before = offset => offset == 8192 ? throw new DiskException(DiskError.Media) : Task.CompletedTask;

        Read(machine, queue, 1).Should().Equal(new byte[4096]);
        queue.Execute(NewCommand.Io(IoOpcode.Read, 2, 1, machine.NewPage())).Status.Should().Be(Status.UnrecoveredReadError);
        machine.Controller.Statistics.MediaErrors.Should().Be(1);
    }

    [Fact]
    public void Faulty_disk_that_hangs_holds_up_only_its_command()
    {
        TaskCompletionSource hang = new();
        FaultyDisk disk = new(new MemoryDisk(1 << 20)) { Before = offset => offset == 8192 ? hang.Task : Task.CompletedTask };
        using Machine machine = new(options: Blocks4096, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);

        ushort hung = queue.Submit(NewCommand.Io(IoOpcode.Read, 2, 1, machine.NewPage()));
        for (ulong lba = 3; lba < 40; lba++)
            queue.Execute(NewCommand.Io(IoOpcode.Read, lba, 1, machine.NewPage())).Status.Should().Be(Status.Success);
        hang.SetResult();

        NvmeDriver.Expect(queue.Take()).CommandId.Should().Be(hung);
    }

    [Fact]
    public void Overlay_takes_writes_and_leaves_the_image_as_it_is()
    {
        MemoryDisk image = new(1 << 20);
        byte[] original = Machine.Pattern(1 << 20, seed: 2);
        image.Write(0, original);
        MemoryDisk written = new(1 << 20);
        using Machine machine = new(options: Blocks4096, disks: [new OverlayDisk(image, written)]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(8192);

        NvmeDriver.Expect(Write(machine, queue, 15, data)); // the end of one cluster, and the start of the next

        Read(machine, queue, 14).Should().Equal(original[(14 * 4096)..(15 * 4096)]);
        Read(machine, queue, 15).Should().Equal(data[..4096]);
        Read(machine, queue, 16).Should().Equal(data[4096..]);
        Read(machine, queue, 40).Should().Equal(original[(40 * 4096)..(41 * 4096)]);
        byte[] left = new byte[1 << 20];
        image.Read(0, left);
        left.Should().Equal(original);
        machine.Page(NewCommand.Identify(0, default, nsid: 1))[24].Should().Be(1 << 4, "it says which writes are fastest");
    }
}
