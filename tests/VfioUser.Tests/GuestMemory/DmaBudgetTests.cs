using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests;

/// <summary>A runtime that gets no more mappings, addresses or descriptors dies: no client may use them all up.</summary>
public class DmaBudgetTests
{
    private const ulong At = 0x1_0000_0000;
    private readonly BlankDevice _device = new();

    [Fact]
    public void When_the_mappings_are_used_up_memory_is_reached_by_file_and_then_refused()
    {
        GuestRegions mappings = Within(new DmaBudget(mappings: 2, mappedBytes: 1 << 30, files: 1));

        Map(mappings, 0).Should().Be(Errno.None);
        Map(mappings, 1).Should().Be(Errno.None);
        Map(mappings, 2).Should().Be(Errno.None);
        Map(mappings, 3).Should().Be(Errno.ENOSPC);

        _device.Dma.Regions.Select(region => region.Backing).Should().Equal(DmaBacking.Mapped, DmaBacking.Mapped, DmaBacking.FileIo);
        mappings.UnmapAll();
    }

    [Fact]
    public void When_the_addresses_are_used_up_memory_is_reached_by_file()
    {
        GuestRegions mappings = Within(new DmaBudget(mappings: 100, mappedBytes: 0x2FFF, files: 100));

        Map(mappings, 0).Should().Be(Errno.None);
        Map(mappings, 1, 0x2000).Should().Be(Errno.None);
        Map(mappings, 3).Should().Be(Errno.None);

        _device.Dma.Regions.Select(region => region.Backing).Should().Equal(DmaBacking.Mapped, DmaBacking.FileIo, DmaBacking.Mapped);
        mappings.UnmapAll();
    }

    [Fact]
    public void Budget_of_regions_that_are_unmapped_or_failed_to_map_is_given_back()
    {
        GuestRegions mappings = Within(new DmaBudget(mappings: 1, mappedBytes: 0x1000, files: 1));

        for (int i = 0; i < 5; i++)
        {
            Map(mappings, 0).Should().Be(Errno.None);
            Map(mappings, 1).Should().Be(Errno.None);
            _device.Dma.Regions.Select(region => region.Backing).Should().Equal(DmaBacking.Mapped, DmaBacking.FileIo);
            mappings.UnmapAll();

            SafeFileHandle sealedAgainstWriting = TestFiles.Memory(0x1000, TestFiles.SealShrink | TestFiles.SealWrite);
            mappings.Map(new DmaMap(DmaMap.WireSize, DmaRig.ReadWrite, 0, At, 0x1000), sealedAgainstWriting, out _).Errno.Should().Be(Errno.EPERM);
        }
    }

    [Fact]
    public void Descriptors_that_are_kept_for_others_come_from_the_budget_and_memory_is_mapped_without_them()
    {
        DmaBudget budget = new(mappings: 100, mappedBytes: 1 << 30, files: 1);
        _device.KeepsDmaDescriptors = true;
        GuestRegions mappings = Within(budget);

        Map(mappings, 0).Should().Be(Errno.None);
        Map(mappings, 1).Should().Be(Errno.None);

        _device.Dma.Regions.Should().OnlyContain(region => region.Backing == DmaBacking.Mapped);
        _device.Dma.TryDuplicateDescriptor(_device.Dma.Regions[0].Address, 1, out SafeFileHandle file, out _).Should().BeTrue();
        file.Dispose();
        _device.Dma.TryDuplicateDescriptor(_device.Dma.Regions[1].Address, 1, out _, out _).Should().Be(DmaStatus.NoDescriptor);
        budget.ToString().Should().EndWith(" 1 files");
        mappings.UnmapAll();
        budget.ToString().Should().EndWith(" 0 files");
    }

    [Fact]
    public async Task Many_threads_never_take_more_than_there_is()
    {
        DmaBudget budget = new(mappings: 3, mappedBytes: 3, files: 3);
        int held = 0;
        int most = 0;

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Background.Run(() =>
        {
            for (int i = 0; i < 20_000; i++)
            {
                if (!budget.TryTakeMapping(1))
                    continue;
                int now = Interlocked.Increment(ref held);
                for (int seen = most; now > seen; seen = most)
                    Interlocked.CompareExchange(ref most, now, seen);
                Interlocked.Decrement(ref held);
                budget.GiveMappingBack(1);
            }
        }))).WaitAsync(Background.Timeout);

        most.Should().BeInRange(1, 3);
        budget.TryTakeMapping(3).Should().BeTrue("all was given back");
    }

    [Fact]
    public void A_region_that_is_larger_than_this_process_is_reached_by_file()
    {
        // the file is empty but for its length
        using DmaRig rig = new();
        using SafeFileHandle file = TestFiles.Memory(1L << 60, TestFiles.SealShrink);

        rig.Map(DmaRig.ReadWrite, 0, At, 1ul << 60, file);

        rig.Dma.Regions[0].Backing.Should().Be(DmaBacking.FileIo);
        rig.Dma.TryWrite<uint>(new Iova(At + (1ul << 59)), 0x42).Should().BeTrue();
        TestFiles.Content(file, 1ul << 59, 1).Should().Equal(0x42);
    }

    private GuestRegions Within(DmaBudget budget) =>
        new(_device, new DmaChannel(null!, 0x1000, () => { }, null!), 100, trustClient: false, maxDirtyBitmap: 1 << 20, new ServerLog(NullLogger.Instance)) { Budget = budget };

    private static Errno Map(GuestRegions mappings, ulong page, ulong size = 0x1000) =>
        mappings.Map(new DmaMap(DmaMap.WireSize, DmaRig.ReadWrite, 0, At + page * 0x1000, size), TestFiles.Memory((long)size, TestFiles.SealShrink), out _).Errno;
}
