using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>The scenarios of libvfio-user's test_dirty_pages.py, and what it cannot do.</summary>
public class DirtyPagesTests
{
    private const ulong Page = 4096;
    private const ulong Ram = 0x1_0000_0000;

    [Fact]
    public void The_pages_of_a_write_are_reported_once_and_at_any_granularity()
    {
        PlainDevice device = new();
        using var guest = Logged(device);

        Dirty(guest).Should().Be(0);
        WriteSome();
        Dirty(guest).Should().Be(0b0000_0011_1100_0001);
        Dirty(guest).Should().Be(0);
        WriteSome();
        Dirty(guest, pageSize: Page / 2).Should().Be(0b0000_0000_0000_1111_1111_0000_0000_0011);
        WriteSome();
        Dirty(guest, pageSize: Page * 2).Should().Be(0b0001_1001);
        WriteSome();
        Dirty(guest, pageSize: Page * 16).Should().Be(1);
        Dirty(guest, pageSize: Page * 16).Should().Be(0);

        void WriteSome()
        {
            Write(device, 0, 1);
            Write(device, 6, 4);
        }
    }

    [Theory]
    [InlineData(0, 1, 0b1ul)]
    [InlineData(7, 1, 0b1000_0000ul)]
    [InlineData(0, 7, 0b0111_1111ul)]
    [InlineData(0, 8, 0b1111_1111ul)]
    [InlineData(0, 9, 0b1_1111_1111ul)]
    [InlineData(7, 2, 0b1_1000_0000ul)]
    [InlineData(15, 1, 0x8000ul)]
    [InlineData(31, 1, 0x8000_0000ul)]
    public void Edges_of_bytes_are_right(int page, int count, ulong expected)
    {
        PlainDevice device = new();
        using var guest = Logged(device);

        Write(device, page, count);

        Dirty(guest, pages: 32).Should().Be(expected);
    }

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, 0b111_1100ul)]
    [InlineData(GuestMemoryKind.FileIo, 0b111_1100ul)]
    [InlineData(GuestMemoryKind.TwinSocket, 0ul)] // the client did those writes itself
    [InlineData(GuestMemoryKind.SingleSocket, 0ul)]
    public void Every_way_of_writing_marks_and_reading_does_not(GuestMemoryKind memory, ulong expected)
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device, memory);
        guest.Client.StartDirtyPages(Page);

        device.Dma.TryRead(new Iova(Ram), new byte[Page]).Should().BeTrue();
        device.Dma.TryAccess(new Iova(Ram + Page), 8, writable: false, 0, (_, _) => { }).Should().BeTrue();
        device.Dma.TryWrite(new Iova(Ram + 2 * Page), 1ul).Should().BeTrue();
        device.Dma.TryAccess(new Iova(Ram + 3 * Page), 8, writable: true, 0, (_, _) => { }).Should().BeTrue();
        device.Dma.TryLease(new Iova(Ram + 4 * Page), Page, writable: true, out DmaLease lease).Should().BeTrue();
        lease.TryWrite(0, [1]).Should().BeTrue();
        lease.Dispose();
        device.Dma.TryWrite(new Iova(Ram + 6 * Page - 1), (ushort)1).Should().BeTrue();

        Dirty(guest).Should().Be(expected);
        guest.Client.UnmapDmaWithDirtyPages(Ram, guest.Memory.Size, Page).Should().AllBeEquivalentTo(0ul);
    }

    [Fact]
    public void Nothing_is_marked_before_the_write_is_done()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        ulong during = 1;

        device.Dma.TryAccess(new Iova(Ram), 8, writable: true, 0, (_, _) => during = Dirty(guest)).Should().BeTrue();

        during.Should().Be(0);
        Dirty(guest).Should().Be(1);
    }

    [Theory]
    [InlineData(1ul, 4096ul)]
    [InlineData(2048ul, 4096ul)]
    [InlineData(5000ul, 4096ul)]
    [InlineData(4096ul, 4096ul)]
    [InlineData(65536ul, 65536ul)]
    [InlineData(ulong.MaxValue, 1ul << 30)]
    public void The_reply_has_the_chosen_page_size(ulong wanted, ulong chosen)
    {
        using var guest = TestGuest.Attach(new PlainDevice());

        guest.Client.StartDirtyPages(wanted).Should().Be(chosen);
    }

    [Fact]
    public void Starting_again_is_fine_with_the_same_page_size_only()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        Refused(() => guest.Client.StartDirtyPages(0)).Should().Be(Errno.EINVAL);
        guest.Client.StartDirtyPages(Page);
        Write(device, 3, 1);

        guest.Client.StartDirtyPages(Page);
        Refused(() => guest.Client.StartDirtyPages(Page / 2)).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.StartDirtyPages(Page * 2)).Should().Be(Errno.EINVAL);

        Dirty(guest).Should().Be(0b1000, "a second start forgets nothing");
    }

    [Fact]
    public void Reports_that_cannot_be_made_are_refused()
    {
        using var guest = TestGuest.Attach(new PlainDevice());
        Refused(() => Dirty(guest)).Should().Be(Errno.EINVAL, "logging is off");
        guest.Client.StartDirtyPages(Page);

        Report(guest, 0xDEAD_B000, 16 * Page, Page).Should().Be(Errno.ENOENT);
        Report(guest, Ram, 16 * Page, 1 << 24).Should().Be(Errno.EINVAL, "the page is larger than the range");
        Report(guest, Ram, 16 * Page, 0).Should().Be(Errno.EINVAL);
        Report(guest, Ram, 16 * Page, 5000).Should().Be(Errno.EINVAL);
        Report(guest, Ram, 0, Page).Should().Be(Errno.EINVAL);
        Report(guest, Ram, 0, 1).Should().Be(Errno.EINVAL);
        Report(guest, ulong.MaxValue - Page, 16 * Page, Page).Should().Be(Errno.EINVAL, "it wraps around");
        Report(guest, Ram, ulong.MaxValue, Page).Should().Be(Errno.EINVAL);
        Report(guest, Ram, ulong.MaxValue, 1).Should().Be(Errno.EINVAL);
        Report(guest, Ram, 16 * Page, Page, argsz: 39).Should().Be(Errno.EINVAL);
        Report(guest, Ram, 16 * Page, Page, argsz: 40).Should().Be(Errno.None);

        guest.Client.StopDirtyPages();
        guest.Client.StopDirtyPages();
        Refused(() => Dirty(guest)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Bad_ranges_are_refused_and_start_nothing()
    {
        using var guest = TestGuest.Attach(new PlainDevice());

        Refused(() => guest.Client.StartDirtyPages(Page, new DmaLoggingRange(0, 0))).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.StartDirtyPages(Page, new DmaLoggingRange(ulong.MaxValue, 2))).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.StartDirtyPages(Page, new DmaLoggingRange[1025])).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.StartDirtyPages(Page, [.. Enumerable.Repeat(new DmaLoggingRange(0, 1), 1025)])).Should().Be(Errno.E2BIG);
        guest.Client.Feature(1000, 6 | (1u << 17), [.. BitConverter.GetBytes(Page), 255, 255, 255, 255, 0, 0, 0, 0]).Errno.Should().Be(Errno.EINVAL);

        Refused(() => Dirty(guest)).Should().Be(Errno.EINVAL);
    }

    [Fact]
    public void Several_ranges_are_logged_and_more_can_follow()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        using SharedMemory more = SharedMemory.Create(16 * Page);
        using SharedMemory third = SharedMemory.Create(16 * Page);
        guest.Client.MapDma(0x10000, 16 * Page, more.File);
        guest.Client.MapDma(0x40000, 16 * Page, third.File);
        guest.Client.StartDirtyPages(Page, new DmaLoggingRange(Ram, 8 * Page), new DmaLoggingRange(0x10000, Page));

        WriteAll();
        Dirty(guest).Should().Be(1);
        Dirty(guest, 0x10000).Should().Be(1);
        Dirty(guest, 0x40000).Should().Be(0, "nobody asked for it");

        guest.Client.StartDirtyPages(Page, new DmaLoggingRange(0x40000, Page));
        WriteAll();
        Dirty(guest, 0x40000).Should().Be(1);
        Dirty(guest, 0x10000).Should().Be(1);

        void WriteAll()
        {
            foreach (ulong at in new[] { Ram, 0x10000ul, 0x40000ul })
                device.Dma.TryWrite<uint>(new Iova(at), 1).Should().BeTrue();
        }
    }

    [Fact]
    public void A_page_that_a_range_covers_in_part_stays_marked_for_the_other_part()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        Write(device, 1, 1);

        // a tracked page in two halves
        Dirty(guest, Ram + Page, 1, Page / 2, length: Page / 2).Should().Be(1);
        Dirty(guest, Ram + Page + Page / 2, 1, Page / 2, length: Page / 2).Should().Be(1);
        // begins in the middle: bits count from there
        Dirty(guest, Ram + Page / 2, 1, Page, length: 2 * Page).Should().Be(0b11);
        Dirty(guest, Ram, 8, Page).Should().Be(0, "the range had all of the tracked page");
    }

    [Fact]
    public void A_range_over_several_regions_and_gaps_has_zeros_in_the_gaps()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        using SharedMemory one = SharedMemory.Create(4 * Page);
        using SharedMemory two = SharedMemory.Create(4 * Page);
        guest.Client.MapDma(0x10000, 4 * Page, one.File);
        guest.Client.MapDma(0x18000, 4 * Page, two.File);
        guest.Client.StartDirtyPages(Page);
        device.Dma.TryWrite<uint>(new Iova(0x13000), 1).Should().BeTrue();
        device.Dma.TryWrite<uint>(new Iova(0x18000), 1).Should().BeTrue();

        Dirty(guest, 0x10000, pages: 16).Should().Be(0b1_0000_1000);
    }

    [Fact]
    public void A_region_that_begins_and_ends_within_a_page_is_reported_and_cleared()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        using SharedMemory memory = SharedMemory.Create(4 * Page);
        guest.Client.MapDma(0x10800, Page, memory.File);
        guest.Client.StartDirtyPages(Page);
        device.Dma.TryWrite(new Iova(0x10800), new byte[Page]).Should().BeTrue();

        Dirty(guest, 0x10800, 1).Should().Be(1);
        Dirty(guest, 0x10800, 1).Should().Be(0);
        device.Dma.TryWrite(new Iova(0x117FF), (byte)1).Should().BeTrue();
        Dirty(guest, 0x10000, 2).Should().Be(0b10);
    }

    [Fact]
    public void A_region_mapped_later_is_logged_too()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        using SharedMemory memory = SharedMemory.Create(4 * Page);
        guest.Client.MapDma(0x10000, 4 * Page, memory.File);

        device.Dma.TryWrite<uint>(new Iova(0x12000), 1).Should().BeTrue();

        Dirty(guest, 0x10000, 4).Should().Be(0b100);
    }

    [Fact]
    public void A_region_at_the_very_top_is_logged()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        using SharedMemory memory = SharedMemory.Create(4 * Page);
        ulong top = unchecked(0 - 4 * Page);
        guest.Client.MapDma(top, 4 * Page, memory.File);

        device.Dma.TryWrite(new Iova(ulong.MaxValue), (byte)1).Should().BeTrue();

        Dirty(guest, top, 4).Should().Be(0b1000);
    }

    [Fact]
    public void Unmap_reports_what_was_written_until_then()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        ulong pages = guest.Memory.Size / Page;
        Write(device, 1, 1);
        Write(device, (int)pages - 1, 1);

        ulong[] bitmap = guest.Client.UnmapDmaWithDirtyPages(Ram, guest.Memory.Size, Page);

        bitmap.Length.Should().Be((int)(pages / 64));
        bitmap[0].Should().Be(0b10);
        bitmap[^1].Should().Be(1ul << 63);
        device.Dma.TryRead(new Iova(Ram), new byte[1]).Should().BeFalse();
    }

    [Theory]
    [InlineData(40u + 512, 1u, 4096ul, 512ul, Errno.None)]
    [InlineData(40u + 1024, 1u, 4096ul, 512ul, Errno.None)]
    [InlineData(40u + 511, 1u, 4096ul, 512ul, Errno.EINVAL)]
    [InlineData(40u, 1u, 4096ul, 512ul, Errno.EINVAL)]
    [InlineData(24u, 1u, 4096ul, 512ul, Errno.EINVAL)]
    [InlineData(40u + 512, 1u, 4096ul, 504ul, Errno.EINVAL)]
    [InlineData(40u + 520, 1u, 4096ul, 520ul, Errno.EINVAL)]
    [InlineData(40u + 512, 1u, 0ul, 512ul, Errno.EINVAL)]
    [InlineData(40u + 512, 1u, 5000ul, 512ul, Errno.EINVAL)]
    [InlineData(uint.MaxValue, 1u, 4096ul, ulong.MaxValue, Errno.EINVAL)]
    [InlineData((1u << 20) + 1, 1u, 4096ul, 512ul, Errno.None)]
    [InlineData((256u << 20) + 40, 1u, 4096ul, 512ul, Errno.None)]
    [InlineData((256u << 20) + 41, 1u, 4096ul, 512ul, Errno.EINVAL)]
    [InlineData(40u + 512, 3u, 4096ul, 512ul, Errno.EINVAL)]
    [InlineData(40u + 512, 4u, 4096ul, 512ul, Errno.EINVAL)]
    public void Unmap_with_a_bitmap_of_another_size_is_refused(uint argsz, uint flags, ulong pageSize, ulong size, Errno expected)
    {
        PlainDevice device = new();
        using var guest = Logged(device);

        (Errno errno, _) = guest.Client.Try(Command.DmaUnmap, [.. BitConverter.GetBytes(argsz), .. BitConverter.GetBytes(flags),
            .. BitConverter.GetBytes(Ram), .. BitConverter.GetBytes(guest.Memory.Size), .. BitConverter.GetBytes(pageSize), .. BitConverter.GetBytes(size)]);

        errno.Should().Be(expected);
        device.Dma.TryRead(new Iova(Ram), new byte[1]).Should().Be(expected != Errno.None, "what is refused stays mapped");
    }

    [Fact]
    public void Unmap_with_a_bitmap_while_nothing_is_logged_is_refused()
    {
        using var guest = TestGuest.Attach(new PlainDevice());
        Refused(() => guest.Client.UnmapDmaWithDirtyPages(Ram, guest.Memory.Size, Page)).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.UnmapDmaWithDirtyPages(0x20000, Page, Page)).Should().Be(Errno.EINVAL, "not even of nothing");

        guest.Device.Dma.TryRead(new Iova(Ram), new byte[1]).Should().BeTrue();
    }

    [Fact]
    public void Unmap_with_a_bitmap_of_part_of_a_region_is_refused_and_the_region_stays_mapped()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        Write(device, 0, 1);

        Refused(() => guest.Client.UnmapDmaWithDirtyPages(Ram, Page, Page)).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.UnmapDmaWithDirtyPages(Ram - Page, 2 * Page, Page)).Should().Be(Errno.EINVAL);
        Refused(() => guest.Client.UnmapDmaWithDirtyPages(ulong.MaxValue - Page, 4 * Page, Page)).Should().Be(Errno.EINVAL, "it wraps around");

        Dirty(guest).Should().Be(1, "nothing was unmapped, nothing was forgotten");
    }

    [Fact]
    public void Unmap_of_a_range_with_a_bitmap_reports_all_regions_in_it_and_zeros_between()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        using SharedMemory one = SharedMemory.Create(4 * Page);
        using SharedMemory two = SharedMemory.Create(4 * Page);
        using SharedMemory beside = SharedMemory.Create(4 * Page);
        guest.Client.MapDma(0x10000, 4 * Page, one.File);
        guest.Client.MapDma(0x14000, 4 * Page); // by message
        guest.Client.MapDma(0x1A000, 4 * Page, two.File);
        guest.Client.MapDma(0x20000, 4 * Page, beside.File);
        foreach (ulong at in new[] { 0x10000ul, 0x13000ul, 0x1D000ul, 0x20000ul })
            device.Dma.TryWrite<uint>(new Iova(at), 1).Should().BeTrue();

        guest.Client.UnmapDmaWithDirtyPages(0xF000, 17 * Page, Page).Should().Equal(0b0100_0000_0001_0010);
        guest.Client.UnmapDmaWithDirtyPages(0xF000, 17 * Page, Page).Should().Equal([0ul], "nothing is there any more");

        device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(0x20000ul, Ram);
        Dirty(guest, 0x20000, 4).Should().Be(1);
        guest.Client.MapDma(0x10000, 4 * Page, one.File);
        Dirty(guest, 0x10000, 4).Should().Be(0, "it is mapped afresh");
    }

    [Fact]
    public void Memory_by_message_is_reported_with_zeros_in_part_and_as_a_whole()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device);
        guest.Client.MapDma(0x4000_0000, 16 * Page); // as a client maps its ROM
        guest.Client.StartDirtyPages(Page);

        Dirty(guest, 0x4000_0000).Should().Be(0);
        Dirty(guest, 0x4000_0000 + 3 * Page, 2).Should().Be(0);
        Dirty(guest, 0x4000_0000 - Page, 2).Should().Be(0, "also where some of the range is not mapped at all");
        guest.Client.UnmapDmaWithDirtyPages(0x4000_0000, 16 * Page, Page).Should().Equal(0ul);
        Report(guest, 0x4000_0000, 16 * Page, Page).Should().Be(Errno.ENOENT, "now nothing is there");
    }

    [Fact]
    public void An_unmapped_region_leaves_the_bitmap_and_the_others_stay()
    {
        PlainDevice device = new();
        using var guest = Logged(device);
        using SharedMemory memory = SharedMemory.Create(4 * Page);
        guest.Client.MapDma(0x10000, 4 * Page, memory.File);
        Write(device, 0, 1);
        device.Dma.TryWrite<uint>(new Iova(0x10000), 1).Should().BeTrue();

        guest.Client.UnmapDma(0x10000, 4 * Page);

        Refused(() => Dirty(guest, 0x10000, 4)).Should().Be(Errno.ENOENT);
        Dirty(guest).Should().Be(1);
    }

    [Fact]
    public void Bitmaps_have_a_limit_that_a_client_cannot_pass()
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { MaxDirtyBitmapMemory = 1024 } });
        using SharedMemory memory = SharedMemory.Create(Page);
        DmaMap huge = new(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable | DmaMapFlags.FileIo, 0, 1ul << 62, 1ul << 61);

        guest.Client.StartDirtyPages(Page); // 512 bytes for 16 MiB
        Refused(() => guest.Client.MapDma(huge, memory.File)).Should().Be(Errno.ENOMEM);
        guest.Client.StopDirtyPages();
        guest.Client.MapDma(huge, memory.File);
        Refused(() => guest.Client.StartDirtyPages(Page)).Should().Be(Errno.ENOMEM);
        Refused(() => Dirty(guest)).Should().Be(Errno.EINVAL, "it did not start");
        guest.Client.UnmapDma(1ul << 62, 1ul << 61);
        guest.Client.StartDirtyPages(Page);
        for (int i = 0; i < 100; i++)
        {
            guest.Client.MapDma(0x10000, Page, memory.File);
            guest.Client.UnmapDma(0x10000, Page);
        }
        Write(device, 0, 1);
        Dirty(guest).Should().Be(1);
    }

    [Fact]
    public void The_next_client_begins_without_a_log()
    {
        PlainDevice device = new();
        using (Logged(device))
            Write(device, 0, 1);

        using var guest = TestGuest.Attach(device);

        Refused(() => Dirty(guest)).Should().Be(Errno.EINVAL);
    }

    private static TestGuest Logged(PciDevice device)
    {
        TestGuest guest = TestGuest.Attach(device);
        guest.Client.StartDirtyPages(Page);
        return guest;
    }

    private static void Write(PciDevice device, int page, int count) =>
        device.Dma.TryWrite(new Iova(Ram + (ulong)page * Page), new byte[count * (int)Page]).Should().BeTrue();

    private static ulong Dirty(TestGuest guest, ulong address = Ram, ulong pages = 16, ulong pageSize = Page, ulong? length = null) =>
        guest.Client.GetDirtyPages(address, length ?? pages * Page, pageSize).Should().ContainSingle().Subject;

    private static Errno Report(TestGuest guest, ulong address, ulong length, ulong pageSize, uint argsz = 1 << 20) =>
        guest.Client.Feature(argsz, 8 | (1u << 16),
            [.. BitConverter.GetBytes(address), .. BitConverter.GetBytes(length), .. BitConverter.GetBytes(pageSize)]).Errno;

    private static Errno Refused(Action action) => action.Should().Throw<VfioUserException>().Which.Errno;
}
