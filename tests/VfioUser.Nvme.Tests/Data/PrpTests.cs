using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Data;

public class PrpTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 8)] // one page
    [InlineData(0xE00, 2)] // two pages, the first one from near its end
    [InlineData(0, 16)] // two pages
    [InlineData(0x204, 16)] // three, of which two are in a list
    [InlineData(0, 1024)] // as much as there may be
    [InlineData(0xFFC, 1024)]
    public void Data_lies_where_the_pages_say(int offset, int blocks)
    {
        using Machine machine = new(options: new NvmeControllerOptions());
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(blocks * 512);
        (Iova prp1, Iova prp2, Iova[] pages) = Scatter(machine, offset, data);

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 3, blocks, prp1, prp2)));
        foreach (Iova page in pages)
            machine.Guest.Memory.Write(page, new byte[4096]);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 3, blocks, prp1, prp2)));

        byte[] onDisk = new byte[data.Length];
        machine.Disk.Read(3 * 512, onDisk);
        onDisk.Should().Equal(data);
        Gather(machine, offset, pages, data.Length).Should().Equal(data);
    }

    [Fact]
    public void List_may_go_on_in_another_page()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        byte[] data = Machine.Pattern(6 * 4096);
        Iova pages = machine.Guest.Place(data);
        Iova first = machine.NewPage();
        Iova second = machine.NewPage();
        // two entries in the first page of the list, of which the last leads on
        machine.Guest.Memory.Write(first + 0xFF0, (pages + 0x1000).Value);
        machine.Guest.Memory.Write(first + 0xFF8, second.Value);
        for (ulong i = 0; i < 4; i++)
            machine.Guest.Memory.Write(second + i * 8, (pages + (i + 2) * 0x1000).Value);

        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 48, pages, first + 0xFF0)));

        byte[] onDisk = new byte[data.Length];
        machine.Disk.Read(0, onDisk);
        onDisk.Should().Equal(data);
    }

    [Theory]
    [InlineData(1ul, 0ul, 1, Status.InvalidPrpOffset)] // not at a dword
    [InlineData(0ul, 0x10ul, 16, Status.InvalidPrpOffset)] // second page from within
    [InlineData(0ul, 0x4ul, 64, Status.InvalidPrpOffset)] // list not at a quadword
    [InlineData(0xDEAD_0000_0000ul, 0ul, 1, Status.DataTransferError)]
    [InlineData(0ul, 0xDEAD_0000_0000ul, 64, Status.DataTransferError)]
    [InlineData(0xFFFF_FFFF_FFFF_FFFCul, 0xFFFF_FFFF_FFFF_F000ul, 16, Status.DataTransferError)]
    public void Bad_pages_fail_the_command_and_nothing_else(ulong prp1, ulong prp2, int blocks, object status)
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.Guest.Memory.Allocate(8192);
        Iova At(ulong value) => value < 4096 ? page + value : new Iova(value);

        Completion read = queue.Execute(NewCommand.Io(IoOpcode.Read, 0, blocks, At(prp1), At(prp2)));

        read.Status.Should().Be((Status)status);
        machine.Driver.HasFailed.Should().BeFalse();
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, page)));
    }

    [Fact]
    public void List_that_leads_to_itself_comes_to_an_end()
    {
        using Machine machine = new();
        DriverQueue queue = machine.Driver.CreateQueue(1);
        Iova page = machine.NewPage();
        Iova list = machine.NewPage();
        machine.Guest.Memory.Write(list + 0xFF8, list.Value);
        for (ulong i = 0; i < 511; i++)
            machine.Guest.Memory.Write(list + i * 8, list.Value);

        Completion completion = queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1024, page, list + 0xFF8));

        completion.Status.Should().Be(Status.Success, "the same page over and over is odd, but data");
    }

    private static (Iova Prp1, Iova Prp2, Iova[] Pages) Scatter(Machine machine, int offset, byte[] data)
    {
        int count = (offset + data.Length + 4095) / 4096;
        // every second page, so that no two are neighbours
        Iova[] pages = [.. Enumerable.Range(0, count).Select(_ =>
        {
            machine.NewPage();
            return machine.NewPage();
        })];
        for (int i = 0, done = 0; i < count; i++)
        {
            int at = i == 0 ? offset : 0;
            int length = Math.Min(4096 - at, data.Length - done);
            machine.Guest.Memory.Write(pages[i] + (ulong)at, data.AsSpan(done, length));
            done += length;
        }
        Iova prp2 = default;
        if (count == 2)
        {
            prp2 = pages[1];
        }
        else if (count > 2)
        {
            prp2 = machine.NewPage();
            for (int i = 1; i < count; i++)
                machine.Guest.Memory.Write(prp2 + (ulong)(i - 1) * 8, pages[i].Value);
        }
        return (pages[0] + (ulong)offset, prp2, pages);
    }

    private static byte[] Gather(Machine machine, int offset, Iova[] pages, int length)
    {
        byte[] all = [.. pages.SelectMany(page => machine.Read(page, 4096))];
        return all[offset..(offset + length)];
    }
}
