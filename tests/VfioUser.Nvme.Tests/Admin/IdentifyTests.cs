using System.Text;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Admin;

public class IdentifyTests
{
    [Fact]
    public void Controller_page_says_what_drivers_look_for()
    {
        using Machine machine = new();

        byte[] page = machine.Page(NewCommand.Identify(1, default));

        BitConverter.ToUInt16(page, 0).Should().Be(0x1B36);
        BitConverter.ToUInt16(page, 2).Should().Be(machine.Guest.Config.Read<ushort>(0x2C)).And.NotBe(0);
        Encoding.ASCII.GetString(page, 24, 40).TrimEnd().Should().Be("VfioUser NVMe");
        BitConverter.ToUInt32(page, 80).Should().Be(0x0001_0400u);
        page[512].Should().Be(0x66);
        page[513].Should().Be(0x44);
        BitConverter.ToUInt32(page, 516).Should().Be(16u, "a namespace has no larger number");
        BitConverter.ToUInt32(page, 84).Should().Be(60_000_000u, "it may take a minute to be ready");
        BitConverter.ToUInt32(page, 88).Should().Be(60_000_000u, "and to shut down, while the driver waits 5 seconds if it is told nothing");
        (page[525] & 1).Should().Be(0, "memory has no cache that could lose something");
        Encoding.ASCII.GetString(page, 768, 33).Should().Be("nqn.2014-08.org.nvmexpress:uuid:"[..32] + Encoding.ASCII.GetString(page, 800, 1));
    }

    [Fact]
    public void Namespaces_have_size_format_and_names_that_last()
    {
        Disk[] Disks() => [new MemoryDisk(1 << 20, "first"), new MemoryDisk(3 << 20, "second")];
        using Machine machine = new(disks: Disks());
        using Machine other = new(disks: Disks());

        byte[] second = machine.Page(NewCommand.Identify(0, default, nsid: 2));
        byte[] list = machine.Page(NewCommand.Identify(2, default));
        byte[] tail = machine.Page(NewCommand.Identify(2, default, nsid: 1));
        byte[] names = machine.Page(NewCommand.Identify(3, default, nsid: 2));

        BitConverter.ToUInt64(second, 0).Should().Be(3 << 11);
        second[130].Should().Be(9, "blocks have 512 bytes");
        list.Take(12).Should().Equal(1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0);
        tail.Take(8).Should().Equal(2, 0, 0, 0, 0, 0, 0, 0);
        names.Take(2).Should().Equal(2, 16);
        names.Skip(4).Take(16).Should().Equal(second.Skip(104).Take(16));
        other.Page(NewCommand.Identify(3, default, nsid: 2)).Should().Equal(names);
    }

    [Theory]
    [InlineData(0x00u, 0u, Status.InvalidNamespace)]
    [InlineData(0x00u, 17u, Status.InvalidNamespace)]
    [InlineData(0x00u, 0xFFFF_FFFEu, Status.InvalidNamespace)]
    [InlineData(0x02u, 0xFFFF_FFFEu, Status.InvalidNamespace)]
    [InlineData(0x03u, 2u, Status.InvalidField)]
    [InlineData(0x03u, 17u, Status.InvalidNamespace)]
    [InlineData(0x08u, 17u, Status.InvalidNamespace)]
    [InlineData(0x10u, 0xFFFF_FFFFu, Status.InvalidNamespace)]
    [InlineData(0x11u, 0u, Status.InvalidNamespace)]
    [InlineData(0x12u, 2u, Status.InvalidField)]
    [InlineData(0x12u, 17u, Status.InvalidNamespace)]
    [InlineData(0x09u, 1u, Status.InvalidField)]
    [InlineData(0xFFu, 0u, Status.InvalidField)]
    public void Identify_structures_that_do_not_exist_are_refused(uint cns, uint nsid, object status)
    {
        using Machine machine = new();

        machine.Admin.Execute(NewCommand.Identify(cns, machine.NewPage(), nsid)).Status.Should().Be((Status)status);
    }

    [Fact]
    public void Page_may_cross_a_page_border()
    {
        using Machine machine = new();
        VfioUser.Iova pages = machine.Guest.Memory.Allocate(8192);

        NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.Identify, 0, pages + 0x800, 1, second: pages + 0x1000)));

        machine.Read(pages + 0x800, 4096).Should().Equal(machine.Page(NewCommand.Identify(1, default)));
    }
}
