using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tests;

/// <summary>Many DMA regions of few files, as a guest behind a virtual IOMMU has them: what they cost of this process is a matter of the files.</summary>
public sealed class DmaManyMapsTests : IDisposable
{
    private const ulong At = 0x1_0000_0000;
    private const ulong Page = 0x1000;
    private const DmaMapFlags ReadOnly = DmaMapFlags.Readable;
    private readonly BlankDevice _device = new();
    private readonly ManualTime _time = new();
    private readonly string _name = OpenFiles.UniqueName();
    private GuestRegions? _mappings;

    public void Dispose()
    {
        _mappings?.UnmapAll();
        _mappings?.Dispose();
        OpenFiles.Mappings(_name).Should().Be(0, "the session is over");
    }

    [Fact]
    public void A_hundred_thousand_regions_of_one_sealed_file_are_one_mapping()
    {
        const int Regions = 100_000;
        using SafeFileHandle file = Sealed(Regions * Page);
        GuestRegions mappings = Session(maxMaps: Regions);

        for (ulong i = 0; i < Regions; i++)
            Map(mappings, file, At + 2 * i * Page, i * Page).Should().Be(Errno.None);

        OpenFiles.Mappings(_name).Should().Be(1);
        OpenFiles.Descriptors(_name).Should().Be(1, "the test has it");
        _device.Dma.Regions.Should().OnlyContain(region => region.Backing == DmaBacking.Mapped);
        _device.Dma.TryWrite<uint>(new Iova(At + 2 * 99_999 * Page), 0x42).Should().BeTrue();
        TestFiles.Content(file, 99_999 * Page, 1).Should().Equal(0x42);
    }

    [Fact]
    public void Many_regions_of_one_file_that_could_shrink_are_one_descriptor()
    {
        using SafeFileHandle file = TestFiles.Memory(2_000 * (long)Page, 0, _name);
        GuestRegions mappings = Session();

        for (ulong i = 0; i < 2_000; i++)
            Map(mappings, file, At + i * Page, i * Page).Should().Be(Errno.None);

        OpenFiles.Descriptors(_name).Should().Be(2, "the test has one and the session the other");
        _device.Dma.TryWrite<uint>(new Iova(At + 1_999 * Page), 0x42).Should().BeTrue();
        TestFiles.Content(file, 1_999 * Page, 1).Should().Equal(0x42);
        for (ulong i = 0; i < 1_999; i++)
            mappings.Unmap(At + i * Page, Page).Should().Be(Errno.None);
        _device.Dma.TryRead(new Iova(At + 1_999 * Page), out int _).Should().BeTrue("the last region holds the file");
        mappings.Unmap(At + 1_999 * Page, Page).Should().Be(Errno.None);
        OpenFiles.Descriptors(_name).Should().Be(1);
    }

    [Fact]
    public void Many_regions_of_one_file_of_a_trusted_client_are_one_mapping()
    {
        using SafeFileHandle file = TestFiles.Memory(100 * (long)Page, 0, _name);
        GuestRegions mappings = Session(trust: true);

        for (ulong i = 0; i < 100; i++)
            Map(mappings, file, At + i * Page, i * Page).Should().Be(Errno.None);

        OpenFiles.Mappings(_name).Should().Be(1);
        OpenFiles.Descriptors(_name).Should().Be(1);
    }

    [Fact]
    public void A_map_after_an_unmap_finds_the_mapping_that_was_there()
    {
        using SafeFileHandle file = Sealed(16 * Page);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        string[] before = Lines();

        for (ulong i = 0; i < 100; i++)
        {
            mappings.Unmap(At, Page).Should().Be(Errno.None);
            Lines().Should().Equal(before);
            _device.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse("no region is there");
            Map(mappings, file, At, i % 16 * Page).Should().Be(Errno.None);
        }

        Lines().Should().Equal(before);
    }

    [Fact]
    public void A_page_that_was_accessed_is_present_when_it_is_mapped_again()
    {
        using SafeFileHandle file = Sealed(16 * Page);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Resident().Should().Be(0);
        _device.Dma.TryWrite<uint>(new Iova(At), 0x42).Should().BeTrue();

        mappings.Unmap(At, Page).Should().Be(Errno.None);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);

        Resident().Should().BePositive("what is in the page table needs no page fault");
    }

    [Fact]
    public void A_mapping_without_a_region_is_kept_for_a_second_and_the_memory_of_the_guest_no_longer()
    {
        using SafeFileHandle busy = TestFiles.Memory((long)Page, TestFiles.SealShrink, _name + "-busy");
        using SafeFileHandle file = Sealed(Page);
        GuestRegions mappings = Session();
        Map(mappings, busy, At, 0).Should().Be(Errno.None);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);
        mappings.Unmap(At + Page, Page).Should().Be(Errno.None);

        _time.Advance(FileWindows.KeptFor - TimeSpan.FromTicks(1));
        OpenFiles.Mappings(_name).Should().Be(1);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);
        _time.Advance(FileWindows.KeptFor);
        OpenFiles.Mappings(_name).Should().Be(1, "a region is there");
        mappings.Unmap(At + Page, Page).Should().Be(Errno.None);
        _time.Advance(FileWindows.KeptFor);

        OpenFiles.Mappings(_name).Should().Be(0);
        OpenFiles.Mappings(_name + "-busy").Should().Be(1);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);
        _device.Dma.TryRead(new Iova(At + Page), out byte _).Should().BeTrue();
    }

    [Fact]
    public void A_limited_number_of_mappings_without_a_region_is_kept()
    {
        GuestRegions mappings = Session();

        for (int i = 0; i < 2 * FileWindows.MaxIdle; i++)
        {
            using SafeFileHandle file = Sealed(Page);
            Map(mappings, file, At, 0).Should().Be(Errno.None);
            mappings.Unmap(At, Page).Should().Be(Errno.None);
        }

        OpenFiles.Mappings(_name).Should().Be(FileWindows.MaxIdle);
    }

    [Fact]
    public void A_file_that_grows_page_by_page_has_few_mappings()
    {
        using SafeFileHandle file = Sealed(Page);
        GuestRegions mappings = Session();

        for (ulong i = 0; i < 64; i++)
        {
            TestFiles.Truncate(file, (long)((i + 1) * Page));
            Map(mappings, file, At + i * Page, i * Page).Should().Be(Errno.None);
            _device.Dma.TryWrite(new Iova(At + i * Page), (byte)i).Should().BeTrue();
        }

        OpenFiles.Mappings(_name).Should().BeLessThanOrEqualTo(7, "each is twice as long as the one before");
        for (ulong i = 0; i < 64; i++)
            TestFiles.Content(file, i * Page, 1).Should().Equal((byte)i);
        Map(mappings, file, At + 64 * Page, 64 * Page).Should().Be(Errno.EINVAL, "the file ends there, whatever is mapped");
    }

    [Fact]
    public void Files_of_the_same_size_are_not_taken_for_each_other()
    {
        using SafeFileHandle first = Sealed(Page), second = Sealed(Page);
        GuestRegions mappings = Session();
        Map(mappings, first, At, 0).Should().Be(Errno.None);
        Map(mappings, second, At + Page, 0).Should().Be(Errno.None);

        _device.Dma.TryWrite(new Iova(At), (byte)1).Should().BeTrue();
        _device.Dma.TryWrite(new Iova(At + Page), (byte)2).Should().BeTrue();

        TestFiles.Content(first, 0, 1).Should().Equal(1);
        TestFiles.Content(second, 0, 1).Should().Equal(2);
    }

    [Fact]
    public void Read_only_regions_are_not_in_the_writable_mapping()
    {
        using SafeFileHandle file = Sealed(16 * Page);
        GuestRegions mappings = Session();
        for (ulong i = 0; i < 16; i++)
            Map(mappings, file, At + i * Page, 0, flags: i % 2 == 0 ? DmaRig.ReadWrite : ReadOnly).Should().Be(Errno.None);

        _device.Dma.TryWrite<uint>(new Iova(At), 0x42).Should().BeTrue();
        _device.Dma.TryWrite<uint>(new Iova(At + Page), 0x43).Should().BeFalse();

        _device.Dma.TryRead(new Iova(At + 15 * Page), out int value).Should().BeTrue();
        value.Should().Be(0x42, "all are one page of the file");
        Lines().Select(line => line.Split(' ')[1]).Should().BeEquivalentTo("r--s", "rw-s");
    }

    [Fact]
    public void A_descriptor_for_reading_maps_nothing_for_writing_whatever_another_one_has_mapped()
    {
        using SafeFileHandle file = Sealed(2 * Page);
        using SafeFileHandle readOnly = TestFiles.Reopen(file, TestFiles.ReadOnly);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Map(mappings, file, At + Page, 0, flags: ReadOnly).Should().Be(Errno.None);

        Map(mappings, readOnly, At + 2 * Page, Page).Should().Be(Errno.EACCES);
        Map(mappings, readOnly, At + 2 * Page, Page, flags: ReadOnly).Should().Be(Errno.None);

        OpenFiles.Mappings(_name).Should().Be(2);
    }

    [Fact]
    public void File_io_has_the_rights_of_the_regions_own_descriptor()
    {
        using SafeFileHandle file = TestFiles.Memory((long)Page, 0, _name);
        using SafeFileHandle readOnly = TestFiles.Reopen(file, TestFiles.ReadOnly);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Map(mappings, readOnly, At + Page, 0).Should().Be(Errno.None);

        _device.Dma.TryWrite(new Iova(At), (byte)1).Should().BeTrue();
        _device.Dma.TryWrite(new Iova(At + Page), (byte)1).Should().BeFalse();
        _device.Dma.TryRead(new Iova(At + Page), out byte value).Should().BeTrue();
        value.Should().Be(1);
    }

    [Fact]
    public void Files_that_may_be_others_at_each_open_are_not_taken_for_one()
    {
        using SafeFileHandle first = TestFiles.Open("/proc/self/mem", TestFiles.ReadWrite);
        using SafeFileHandle second = TestFiles.Open("/proc/self/mem", TestFiles.ReadWrite);
        GuestRegions mappings = Session();
        int before = Memories();

        Map(mappings, first, At, 0, flags: DmaRig.ReadWrite | DmaMapFlags.FileIo).Should().Be(Errno.None);
        Map(mappings, second, At + Page, 0, flags: DmaRig.ReadWrite | DmaMapFlags.FileIo).Should().Be(Errno.None);

        Memories().Should().Be(before + 2);
        mappings.UnmapAll();
        Memories().Should().Be(before);

        static int Memories() => Directory.GetFiles("/proc/self/fd").Count(path => new FileInfo(path).LinkTarget?.EndsWith("/mem", StringComparison.Ordinal) == true);
    }

    [Fact]
    public void A_seal_that_is_added_later_takes_effect_then()
    {
        using SafeFileHandle file = TestFiles.Memory((long)Page, 0, _name);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);

        Libc.Fcntl(file, Libc.FAddSeals, TestFiles.SealShrink).Should().Be(0);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);

        _device.Dma.Regions.Select(region => region.Backing).Should().Equal(DmaBacking.FileIo, DmaBacking.Mapped);
    }

    [Fact]
    public void A_file_larger_than_a_mapping_has_several()
    {
        using SafeFileHandle file = Sealed(1ul << 40);
        GuestRegions mappings = Session();
        ulong border = FileWindows.Granule;

        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Map(mappings, file, At + Page, border).Should().Be(Errno.None);
        Map(mappings, file, At + 2 * Page, border + Page).Should().Be(Errno.None);
        OpenFiles.Mappings(_name).Should().Be(2);
        Map(mappings, file, At + 3 * Page, border - Page, 2 * Page).Should().Be(Errno.None, "it lies in none of both");

        _device.Dma.Regions.Should().OnlyContain(region => region.Backing == DmaBacking.Mapped);
        _device.Dma.TryWrite<uint>(new Iova(At + 4 * Page), 0x42).Should().BeTrue();
        _device.Dma.TryRead(new Iova(At + Page), out int value).Should().BeTrue();
        value.Should().Be(0x42);
    }

    [Fact]
    public void Where_there_is_no_room_for_a_whole_file_its_regions_are_mapped_and_then_read_through_one_descriptor()
    {
        using SafeFileHandle file = Sealed(1 << 20);
        DmaBudget budget = new(mappings: 100, mappedBytes: 3 * (long)Page, files: 1);
        string nothing = budget.ToString();
        GuestRegions mappings = Session(budget: budget);

        for (ulong i = 0; i < 10; i++)
            Map(mappings, file, At + i * Page, i * Page).Should().Be(Errno.None);

        _device.Dma.Regions.Select(region => region.Backing).Should().Equal(
            [.. Enumerable.Repeat(DmaBacking.Mapped, 3), .. Enumerable.Repeat(DmaBacking.FileIo, 7)]);
        OpenFiles.Mappings(_name).Should().Be(3);
        OpenFiles.Descriptors(_name).Should().Be(2);
        mappings.UnmapAll();
        OpenFiles.Mappings(_name).Should().Be(0, "none of them is of use for another region");
        budget.ToString().Should().Be(nothing);
    }

    [Fact]
    public void A_mapping_without_a_region_makes_room_for_one_that_has()
    {
        using SafeFileHandle first = Sealed(Page), second = Sealed(Page);
        GuestRegions mappings = Session(budget: new DmaBudget(mappings: 1, mappedBytes: (long)Page, files: 1));
        Map(mappings, first, At, 0).Should().Be(Errno.None);
        mappings.Unmap(At, Page).Should().Be(Errno.None);

        Map(mappings, second, At, 0).Should().Be(Errno.None);

        _device.Dma.Regions.Should().ContainSingle().Which.Backing.Should().Be(DmaBacking.Mapped);
    }

    [Fact]
    public void Of_two_regions_on_one_page_of_a_file_the_one_that_was_written_is_dirty()
    {
        using SafeFileHandle file = Sealed(Page);
        GuestRegions mappings = Session();
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Map(mappings, file, At + Page, 0).Should().Be(Errno.None);
        mappings.Dirty.Start(Page, [], out _).IsNone.Should().BeTrue();

        _device.Dma.TryWrite<uint>(new Iova(At + Page), 0x42).Should().BeTrue();

        byte[] bitmap = new byte[8];
        mappings.Dirty.Report(new DirtyPagesReport(At, 2 * Page, Page, bitmap)).Should().Be(Errno.None);
        bitmap.Should().Equal(0b10, 0, 0, 0, 0, 0, 0, 0);
    }

    [Fact]
    public void A_lease_that_outlives_the_session_keeps_its_mapping_and_no_other()
    {
        using SafeFileHandle file = Sealed(Page), other = Sealed(Page);
        using CancellationTokenSource stopping = new();
        GuestRegions mappings = Session(stopping: stopping.Token);
        Map(mappings, file, At, 0).Should().Be(Errno.None);
        Map(mappings, other, At + Page, 0).Should().Be(Errno.None);
        _device.Dma.TryLease(new Iova(At), Page, writable: true, out DmaLease lease).Should().BeTrue();

        stopping.Cancel();
        mappings.UnmapAll();
        mappings.Dispose();

        OpenFiles.Mappings(_name).Should().Be(1);
        lease.TryWrite(0, [0x42]).Should().BeTrue();
        TestFiles.Content(file, 0, 1).Should().Equal(0x42);
        lease.Dispose();
        OpenFiles.Mappings(_name).Should().Be(0);
    }

    [Fact]
    public async Task Leases_that_end_on_other_threads_and_maps_do_not_meet()
    {
        using SafeFileHandle file = Sealed(16 * Page);
        GuestRegions mappings = Session();
        using CancellationTokenSource enough = new();
        Task[] readers = [.. Enumerable.Range(0, 2).Select(_ => Background.Run(() =>
        {
            while (!enough.IsCancellationRequested)
            {
                if (_device.Dma.TryLease(new Iova(At), Page, writable: true, out DmaLease lease))
                {
                    using (lease)
                        lease.TryWrite(0, [1]).Should().BeTrue();
                }
            }
        }))];

        for (int i = 0; i < 2_000; i++)
        {
            Map(mappings, file, At, (ulong)i % 16 * Page).Should().Be(Errno.None);
            if (i % 100 == 0)
                _time.Advance(FileWindows.KeptFor);
            mappings.Unmap(At, Page).Should().Be(Errno.None);
            if (i % 10 == 0)
                _time.Advance(FileWindows.KeptFor);
        }
        enough.Cancel();
        await Task.WhenAll(readers).WaitAsync(Background.Timeout);

        OpenFiles.Mappings(_name).Should().BeLessThanOrEqualTo(1);
    }

    private SafeFileHandle Sealed(ulong size) => TestFiles.Memory((long)size, TestFiles.SealShrink, _name);

    private string[] Lines() => [.. File.ReadLines("/proc/self/maps").Where(line => line.Contains($"/memfd:{_name} ", StringComparison.Ordinal))];

    // in KiB: of the mapping's lines in smaps one says "Rss:                   4 kB"
    private int Resident() => File.ReadLines("/proc/self/smaps")
        .SkipWhile(line => !line.Contains($"/memfd:{_name} ", StringComparison.Ordinal))
        .Where(line => line.StartsWith("Rss:", StringComparison.Ordinal))
        .Select(line => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture))
        .First();

    private GuestRegions Session(int maxMaps = 10_000, bool trust = false, DmaBudget? budget = null, CancellationToken stopping = default) =>
        _mappings = new GuestRegions(_device, new DmaChannel(null!, 0x1000, () => { }, null!), maxMaps, trust, maxDirtyBitmap: 1 << 20,
            new ServerLog(NullLogger.Instance))
        {
            Budget = budget ?? DmaBudget.OfProcess,
            Time = _time,
            Stopping = stopping,
        };

    private static Errno Map(GuestRegions mappings, SafeFileHandle file, ulong address, ulong offset, ulong size = Page, DmaMapFlags flags = DmaRig.ReadWrite) =>
        mappings.Map(new DmaMap(DmaMap.WireSize, flags, offset, address, size), FileCalls.Duplicate(file), out _).Errno;
}
