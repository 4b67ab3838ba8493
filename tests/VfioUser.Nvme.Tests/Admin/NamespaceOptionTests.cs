using System.Buffers.Binary;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Admin;

public class NamespaceOptionTests
{
    private static byte[] Identify(TestGuest guest, NvmeDriver driver, uint nsid)
    {
        Iova page = guest.Memory.Allocate(4096);
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Identify(0, page, nsid)));
        return guest.Memory.ReadBytes(page, 4096);
    }

    [Fact]
    public void Namespaces_have_their_own_block_size_and_protection()
    {
        using MemoryDisk disk = new(1 << 20);
        using NvmeController controller = new([new NvmeNamespace(disk), new NvmeNamespace(disk) { BlockSize = 4096, IsReadOnly = true }]);
        using TestGuest guest = TestGuest.Attach(controller);
        using NvmeDriver driver = new(guest);
        driver.Enable();
        DriverQueue queue = driver.CreateQueue(1);

        byte[] first = Identify(guest, driver, 1);
        byte[] second = Identify(guest, driver, 2);
        Completion written = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, guest.Memory.Allocate(4096), nsid: 2));

        (first[130], second[130]).Should().Be((9, 12));
        BinaryPrimitives.ReadUInt64LittleEndian(second).Should().Be(256);
        (first[99], second[99]).Should().Be((0, 1));
        written.Status.Should().Be(Status.NamespaceWriteProtected);
    }

    [Fact]
    public void Hints_of_a_disk_are_in_its_namespace_in_blocks_from_0()
    {
        DiskHints hints = new() { AtomicWriteLength = 16 << 10, PreferredWriteLength = 64 << 10, DeallocationLength = 1 << 20, BoundaryLength = 256 << 10 };
        using HintedDisk disk = new(hints);
        using NvmeController controller = new([disk], new NvmeControllerOptions { BlockSize = 4096 });
        using TestGuest guest = TestGuest.Attach(controller);
        using NvmeDriver driver = new(guest);
        driver.Enable();

        byte[] page = Identify(guest, driver, 1);

        page[24].Should().Be(1 << 1 | 1 << 4);
        ushort At(int offset) => BinaryPrimitives.ReadUInt16LittleEndian(page.AsSpan(offset));
        new[] { At(34), At(36), At(38), At(40), At(44) }.Should().AllBeEquivalentTo((ushort)3);
        At(46).Should().Be(64, "it counts from 1");
        (At(64), At(66), At(68), At(70), At(72)).Should().Be((15, 15, 255, 255, 15));
    }

    [Theory]
    [InlineData(4096, 512, "*blocks of 512*its disk of 4096*")]
    [InlineData(0, 1024, "*512 or 4096*")]
    [InlineData(3000, 4096, "*powers of two*")]
    public void Disk_that_cannot_have_such_blocks_is_refused(int disks, int namespaces, string message)
    {
        using HintedDisk disk = new(new DiskHints { BlockSize = disks });

        FluentActions.Invoking(() => new NvmeController([new NvmeNamespace(disk) { BlockSize = namespaces }]))
            .Should().Throw<ArgumentException>().WithMessage(message);
    }
}
