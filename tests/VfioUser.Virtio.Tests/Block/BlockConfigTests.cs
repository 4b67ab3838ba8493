using System.Runtime.InteropServices;

namespace VfioUser.Virtio.Tests.Block;

public sealed class BlockConfigTests
{
    [Theory]
    [InlineData(nameof(BlockConfig.Capacity), 0)]
    [InlineData(nameof(BlockConfig.SizeMax), 8)]
    [InlineData(nameof(BlockConfig.SegMax), 12)]
    [InlineData(nameof(BlockConfig.BlockSize), 20)]
    [InlineData(nameof(BlockConfig.PhysicalBlockExponent), 24)]
    [InlineData(nameof(BlockConfig.MinIoSize), 26)]
    [InlineData(nameof(BlockConfig.OptimalIoSize), 28)]
    [InlineData(nameof(BlockConfig.Writeback), BlockConfig.WritebackOffset)]
    [InlineData(nameof(BlockConfig.Queues), 34)]
    [InlineData(nameof(BlockConfig.MaxDiscardSectors), 36)]
    [InlineData(nameof(BlockConfig.MaxDiscardRanges), 40)]
    [InlineData(nameof(BlockConfig.DiscardAlignment), 44)]
    [InlineData(nameof(BlockConfig.MaxWriteZeroesSectors), 48)]
    [InlineData(nameof(BlockConfig.MaxWriteZeroesRanges), 52)]
    [InlineData(nameof(BlockConfig.WriteZeroesMayUnmap), 56)]
    [InlineData(nameof(BlockConfig.MaxSecureEraseSectors), 60)]
    [InlineData(nameof(BlockConfig.MaxSecureEraseRanges), 64)]
    [InlineData(nameof(BlockConfig.SecureEraseAlignment), 68)]
    public void Field_lies_where_the_specification_has_it(string field, int offset)
    {
        Marshal.OffsetOf<BlockConfig>(field).Should().Be(offset);
        Marshal.SizeOf<BlockConfig>().Should().Be(BlockConfig.Size);
    }

    [Fact]
    public void Driver_is_told_what_the_disk_says_of_itself()
    {
        using BlockGuest guest = new(new HintingDisk(new DiskHints { AtomicWriteLength = 4096, PreferredWriteLength = 64 << 10, DeallocationLength = 8192 }));

        guest.Config.Should().BeEquivalentTo(new
        {
            Capacity = 2048ul,
            BlockSize = 512u,
            PhysicalBlockExponent = (byte)3,
            MinIoSize = (ushort)128,
            OptimalIoSize = 128u,
            DiscardAlignment = 16u,
            SegMax = 254u,
            Writeback = (byte)0,
        });
    }

    [Fact]
    public void Growth_is_told_and_the_new_sectors_can_be_written()
    {
        string path = Path.GetTempFileName();
        try
        {
            using FileDisk disk = FileDisk.Open(path, 1 << 20);
            using BlockGuest guest = new(disk);
            BlockStatus before = guest.Send(BlockRequestType.Write, 2048, new byte[512]);
            byte generation = guest.Driver.Read<byte>(0x15);

            using (Microsoft.Win32.SafeHandles.SafeFileHandle file = FileSystemCalls.OpenUnlocked(path))
                RandomAccess.SetLength(file, 2 << 20);
            disk.UpdateSize();

            guest.Driver.Interrupts[0].WaitFor(1);
            guest.Driver.Read<byte>(0x15).Should().NotBe(generation);
            guest.Config.Capacity.Should().Be(4096);
            before.Should().Be(BlockStatus.IoError);
            guest.Write(2048, new byte[512]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData(0ul, (byte)1, "write flush")] // a cache, and the driver flushes
    [InlineData(0ul, (byte)0, "write durably flush")] // the driver has turned it off
    [InlineData((ulong)BlockFeatures.ConfigWriteCache, (byte)1, "write flush")] // it cannot turn it off
    [InlineData((ulong)(BlockFeatures.ConfigWriteCache | BlockFeatures.Flush), (byte)1, "write durably flush")] // it knows of no cache
    public void Write_is_durable_when_the_driver_knows_of_no_cache(ulong without, byte writeback, string calls)
    {
        using ScriptedDisk disk = new(1 << 20, hasCache: true);
        using BlockGuest guest = new(disk, without: without);
        if (writeback == 0)
            guest.Driver.WriteConfig(BlockConfig.WritebackOffset, writeback);

        guest.Write(0, new byte[512]);
        guest.Send(BlockRequestType.Flush).Should().Be(BlockStatus.Ok);

        string.Join(' ', disk.Calls).Should().Be(calls);
        guest.Config.Writeback.Should().Be(writeback);
    }

    [Fact]
    public void Cache_is_on_again_after_a_reset()
    {
        using BlockGuest guest = new(new ScriptedDisk(1 << 20, hasCache: true));
        guest.Driver.WriteConfig(BlockConfig.WritebackOffset, (byte)0);

        guest.Driver.Start();

        guest.Config.Writeback.Should().Be(1);
    }

    [Fact]
    public void Disk_without_a_cache_has_none_for_the_driver()
    {
        using BlockGuest guest = new();

        guest.Config.Writeback.Should().Be(0);
        (guest.Driver.Features & (ulong)BlockFeatures.ConfigWriteCache).Should().Be(0);
    }

    [Theory]
    [InlineData(0, 256, 512, null, 1)]
    [InlineData(65, 256, 512, null, 1)]
    [InlineData(1, 100, 512, null, 1)]
    [InlineData(1, 2, 512, null, 1)]
    [InlineData(1, 256, 1024, null, 1)]
    [InlineData(1, 256, 512, "more-than-twenty-chars", 1)]
    [InlineData(1, 256, 512, "naïve", 1)]
    [InlineData(1, 256, 512, null, 0)]
    public void Options_out_of_range_are_refused(int queues, int size, int blockSize, string? serial, int threads)
    {
        using MemoryDisk disk = new(1 << 20);

        FluentActions.Invoking(() => new VirtioBlock(disk, new VirtioBlockOptions
        {
            Queues = queues,
            QueueSize = size,
            BlockSize = blockSize,
            SerialNumber = serial,
            DiskThreads = threads,
        })).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void Disk_of_larger_blocks_than_the_device_is_refused()
    {
        using Disk disk = new HintingDisk(new DiskHints { BlockSize = 4096 });

        FluentActions.Invoking(() => new VirtioBlock(disk)).Should().Throw<ArgumentException>().WithMessage("*512*4096*");
    }

    private sealed class HintingDisk(DiskHints hints) : Disk
    {
        public override long Size => 1 << 20;

        public override DiskHints Hints => hints;

        public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default) => default;

        public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) => default;
    }
}
