using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class SharedRegionTests
{
    private static readonly long Page = Environment.SystemPageSize;

    [Fact]
    public void A_whole_region_is_shared_between_mapping_device_and_messages()
    {
        RegionMemory memory = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => memory = device.AddBar(0, BarKind.Memory32, 4 * Page).ShareMemory()));
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        using SharedMemory mapped = region.Map(region.Areas.Should().ContainSingle().Subject);

        mapped.Slice(0x10, 1)[0] = 1;
        memory.Span(0x11, 1)[0] = 2;
        guest.Bar0.Write<byte>(0x12, 3);

        mapped.Length.Should().Be((ulong)(4 * Page));
        mapped.Slice(0x10, 3).ToArray().Should().Equal(1, 2, 3);
        memory.Span(0x10, 3).ToArray().Should().Equal(1, 2, 3);
        guest.Bar0.Read<uint>(0x10).Should().Be(0x030201);
        memory.Areas.Should().Equal(new MemoryArea(0, 4 * Page));
        (region.Info.Flags & RegionFlags.Caps).Should().Be(0, "the flags say it all");
    }

    [Fact]
    public void Sparse_areas_are_shared_and_the_handler_gets_the_rest()
    {
        RecordingHandler handler = new();
        RegionMemory memory = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => memory = device.AddBar(0, BarKind.Memory32, 8 * Page, handler)
            .ShareMemory(new MemoryArea(Page, Page), new MemoryArea(4 * Page, 2 * Page))));
        using ClientRegion region = guest.Client.GetRegionInfo(0);

        region.Areas.Should().Equal(new SparseMmapArea((ulong)Page, (ulong)Page), new SparseMmapArea(4 * (ulong)Page, 2 * (ulong)Page));
        (region.Info.Flags & (RegionFlags.Caps | RegionFlags.Mmap)).Should().Be(RegionFlags.Caps | RegionFlags.Mmap);
        foreach (SparseMmapArea area in region.Areas)
        {
            using SharedMemory mapped = region.Map(area);
            mapped.Slice(area.Size - 1, 1)[0] = 0x77;
            memory.Span((long)(area.Offset + area.Size - 1), 1)[0].Should().Be(0x77);
            guest.Bar0.Read<byte>((long)(area.Offset + area.Size - 1)).Should().Be(0x77);
        }
        handler.Reads.Should().BeEmpty();
        guest.Bar0.Read<ushort>(2 * Page - 1).Should().Be(0x0077);
        guest.Bar0.Write(Page - 4, 0x8877_6655_4433_2211ul);
        handler.Reads.Should().Equal((2 * Page, 1));
        handler.Writes.Should().ContainSingle().Which.Offset.Should().Be(Page - 4);
        memory.Span(Page, 4).ToArray().Should().Equal(0x55, 0x66, 0x77, 0x88);
    }

    [Fact]
    public void Write_handlers_see_what_messages_wrote_before_the_reply_and_nothing_of_mapped_writes()
    {
        List<(long Offset, int Length, byte First)> written = [];
        RegionMemory memory = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
        {
            memory = device.AddBar(0, BarKind.Memory32, 4 * Page).ShareMemory(new MemoryArea(Page, Page), new MemoryArea(3 * Page, Page));
            memory.AddWriteHandler((offset, length) => written.Add((offset, length, memory.Span(offset, length)[0])));
        }));
        using ClientRegion region = guest.Client.GetRegionInfo(0);
        using SharedMemory mapped = region.Map(region.Areas[0]);

        mapped.Slice(0, 1)[0] = 1;
        guest.Bar0.Write<ushort>(Page + 6, 0x0302);
        guest.Bar0.Write<uint>(3 * Page - 2, 0x07060504); // the second half of it
        guest.Bar0.Write<byte>(0, 8);

        written.Should().Equal((Page + 6, 2, 2), (3 * Page, 2, 6));
        guest.Invoking(_ => memory.AddWriteHandler((_, _) => { })).Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void Registers_stand_beside_sparse_areas()
    {
        Register<uint> register = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device =>
        {
            Bar bar = device.AddBar(0, BarKind.Memory32, 2 * Page);
            bar.ShareMemory(new MemoryArea(Page, Page));
            register = bar.AddRegister<uint>(0);
        }));

        guest.Bar0.Write(0, 5u);

        register.Value.Should().Be(5);
    }

    [Fact]
    public void A_file_is_shared_from_its_offset_on()
    {
        using SafeFileHandle file = TestFiles.Memory((long)(3 * Page));
        RegionMemory memory = null!;
        using var guest = TestGuest.Attach(new BlankDevice(device => memory = device.AddBar(1, BarKind.Memory32, 2 * Page)
            .ShareMemory(Protocol.Interop.FileCalls.Duplicate(file), Page)));
        using ClientRegion region = guest.Client.GetRegionInfo(1);
        using SharedMemory mapped = region.Map(region.Areas[0]);

        mapped.Slice((ulong)(2 * Page - 1), 1)[0] = 0x99;

        region.Info.Offset.Should().Be((ulong)Page);
        memory.Span(2 * Page - 1, 1)[0].Should().Be(0x99);
        TestFiles.Content(file, (ulong)(3 * Page - 1), 1).Should().Equal(0x99);
    }

    [Fact]
    public void A_file_that_ends_before_the_region_is_refused()
    {
        // a touch behind its end would kill the process
        string name = OpenFiles.UniqueName();
        SafeFileHandle file = TestFiles.Memory((long)(2 * Page), name: name);
        Bar bar = new BlankDevice().AddBar(0, BarKind.Memory32, 2 * Page);

        bar.Invoking(it => it.ShareMemory(file, Page)).Should().Throw<ArgumentException>().WithMessage("*ends*");

        OpenFiles.Descriptors(name).Should().Be(0, "it was taken over");
        OpenFiles.Mappings(name).Should().Be(0);
    }

    [Fact]
    public void A_file_offset_that_overflows_or_is_not_aligned_is_refused()
    {
        Bar bar = new BlankDevice().AddBar(0, BarKind.Memory32, Page);

        bar.Invoking(it => it.ShareMemory(TestFiles.Memory(1 << 20), -Page)).Should().Throw<ArgumentException>();
        bar.Invoking(it => it.ShareMemory(TestFiles.Memory(1 << 20), 0x10)).Should().Throw<ArgumentException>().WithMessage("*page*");
        bar.Invoking(it => it.ShareMemory(null!, 0)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void The_memory_keeps_its_content_from_client_to_client()
    {
        RegionMemory memory = null!;
        BlankDevice device = new(it => memory = it.AddBar(0, BarKind.Memory32, Page).ShareMemory());
        using (var first = TestGuest.Attach(device))
            first.Bar0.Write(8, 0xCAFEu);

        using var second = TestGuest.Attach(device);

        second.Bar0.Read<uint>(8).Should().Be(0xCAFE);
        memory.Invoking(it => it.Span(Page, 1).Clear()).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void Areas_are_whole_pages_within_the_region_that_overlap_nothing()
    {
        BlankDevice device = new();
        Bar bar = device.AddBar(0, BarKind.Memory32, 4 * Page);
        bar.AddRegister<uint>(2 * Page);

        bar.Invoking(it => it.ShareMemory(new MemoryArea(0x10, Page))).Should().Throw<ArgumentException>().WithMessage("*whole pages*");
        bar.Invoking(it => it.ShareMemory(new MemoryArea(0, 0x10))).Should().Throw<ArgumentException>().WithMessage("*whole pages*");
        bar.Invoking(it => it.ShareMemory(new MemoryArea(4 * Page, Page))).Should().Throw<ArgumentException>().WithMessage("*does not fit*");
        bar.Invoking(it => it.ShareMemory(new MemoryArea(Page, 2 * Page))).Should().Throw<ArgumentException>().WithMessage("*overlaps*");
        bar.Invoking(it => it.ShareMemory()).Should().Throw<ArgumentException>().WithMessage("*overlaps*");
        device.AddBar(1, BarKind.Memory32, 16).Invoking(it => it.ShareMemory()).Should().Throw<ArgumentException>().WithMessage("*whole pages*");
    }

    [Fact]
    public void A_refused_area_leaves_nothing_behind()
    {
        Bar bar = new BlankDevice().AddBar(0, BarKind.Memory32, 4 * Page);
        bar.Invoking(it => it.ShareMemory(new MemoryArea(0, Page), new MemoryArea(0, Page))).Should().Throw<ArgumentException>();

        bar.AddRegister<uint>(0).Value.Should().Be(0);
        bar.ShareMemory(new MemoryArea(Page, Page)).Areas.Should().HaveCount(1);
        bar.Invoking(it => it.ShareMemory(new MemoryArea(2 * Page, Page))).Should().Throw<InvalidOperationException>().WithMessage("*one call*");
    }
}
