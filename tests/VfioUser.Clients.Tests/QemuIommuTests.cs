using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Clients.Tests;

/// <summary>QEMU with a virtual IOMMU: what the guest maps, page by page, and takes away by ranges.</summary>
public class QemuIommuTests
{
    private const ulong Ram = 64 << 20;

    // intel-iommu with caching-mode: each page of a driver is a map; a domain that goes is one unmap of all that it had, in
    // pieces that are powers of two, most of them with nothing in them.
    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void The_iommu_unmaps_ranges_that_hold_many_maps_or_none(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);

        for (int domain = 0; domain < 6; domain++)
        {
            // the same addresses, other pages in each domain
            for (ulong page = 0; page < 64; page++)
                qemu.Map(0xFEE00000 + (page * 0x1000), 0x1000, ram, ((ulong)domain * 0x40000) + (page * 0x1000));
            Memory.Write(ram, (ulong)domain * 0x40000, [(byte)(domain + 1)]);
            card.Dma.TryRead(new Iova(0xFEE00000), out byte value).Should().BeTrue();
            value.Should().Be((byte)(domain + 1), "the device works on this domain's pages");

            for (ulong size = 0x1000; size < 1ul << 46; size *= 2)
                qemu.Unmap(size, size); // [4 KiB, 8 KiB), [8 KiB, 16 KiB) and so on: one of them has it all
            qemu.Unmap(0xFEF00000, 0x100000);
            card.Dma.Regions.Should().BeEmpty();
            card.Dma.TryRead(new Iova(0xFEE00000), out value).Should().BeFalse();
        }

        qemu.Errors.Should().BeEmpty();
        qemu.Leave();
    }

    [Theory, InlineData(ServedBy.OwnThread), InlineData(ServedBy.Poller)]
    public void A_driver_under_the_iommu_unmaps_what_it_mapped_page_by_page_and_more_at_once(ServedBy by)
    {
        Card card = new();
        using Served served = new(by, card);
        using SafeFileHandle ram = Memory.Sealed(Ram);
        using QemuClient qemu = QemuClient.Connect(served.Address);

        for (int round = 0; round < 20; round++)
        {
            ulong iova = 0xFFFF0000;
            for (ulong page = 0; page < 8; page++)
                qemu.Map(iova + (page * 0x1000), 0x1000, ram, page * 0x1000, writable: page % 2 == 0);
            qemu.Unmap(iova, 0x2000); // two of them
            qemu.Map(iova, 0x1000, ram, 0x9000); // one comes back, with another page behind it
            qemu.Unmap(iova, 0x8000); // seven, and a gap
        }
        qemu.Map(0x10000, 0x2000, ram, 0);
        qemu.Errors.Should().BeEmpty();

        // what cuts a map is refused and leaves it whole; QEMU prints that, and goes on
        qemu.Unmap(0x11000, 0x1000);
        qemu.Map(0x11000, 0x1000, ram, 0);
        qemu.Errors.Should().Equal(
            "vfio_container_dma_unmap(.., 0x11000, 0x1000) = -22 (EINVAL)", "vfio_container_dma_map(.., 0x11000, 0x1000) = -17 (EEXIST)");
        card.Dma.TryWrite<uint>(new Iova(0x11FFC), 1).Should().BeTrue();
        qemu.Unmap(0, 0, all: true);
        card.Dma.Regions.Should().BeEmpty();
        qemu.Leave();
    }
}
