namespace VfioUser.Virtio.Tests.Block;

/// <summary>Requests that cannot be: each is refused, and the next one is served.</summary>
public sealed class BlockErrorTests
{
    public static TheoryData<string> AllLies => [.. Lies.Keys];

    private static readonly Dictionary<string, (Func<BlockGuest, BlockStatus> Lie, BlockStatus Status)> Lies = new(StringComparer.Ordinal)
    {
        ["a read beyond the end"] = (guest => guest.Ask(BlockRequestType.Read, 2048, 512).Status, BlockStatus.IoError),
        ["a read across the end"] = (guest => guest.Ask(BlockRequestType.Read, 2047, 1024).Status, BlockStatus.IoError),
        ["a read whose end overflows"] = (guest => guest.Ask(BlockRequestType.Read, ulong.MaxValue, 512).Status, BlockStatus.IoError),
        ["a read of a sector whose offset overflows"] = (guest => guest.Ask(BlockRequestType.Read, 1ul << 55, 512).Status, BlockStatus.IoError),
        ["a read of half a sector"] = (guest => guest.Ask(BlockRequestType.Read, 0, 256).Status, BlockStatus.IoError),
        ["a read of nothing"] = (guest => guest.Ask(BlockRequestType.Read, 0, 0).Status, BlockStatus.IoError),
        ["a write of nothing"] = (guest => guest.Send(BlockRequestType.Write), BlockStatus.IoError),
        ["a write of a sector and a byte"] = (guest => guest.Send(BlockRequestType.Write, 0, new byte[513]), BlockStatus.IoError),
        ["a write beyond the end"] = (guest => guest.Send(BlockRequestType.Write, 2048, new byte[512]), BlockStatus.IoError),
        ["an unknown type"] = (guest => guest.Send((BlockRequestType)99), BlockStatus.Unsupported),
        ["the lifetime"] = (guest => guest.Ask((BlockRequestType)10, 0, 16).Status, BlockStatus.Unsupported),
        ["no header"] = (guest => (BlockStatus)guest.Queue.Request([], 1)[0], BlockStatus.IoError),
        ["half a header"] = (guest => (BlockStatus)guest.Queue.Request(new byte[15], 1)[0], BlockStatus.IoError),
        ["a discard without ranges"] = (guest => guest.Send(BlockRequestType.Discard), BlockStatus.IoError),
        ["a discard of half a range"] = (guest => guest.Send(BlockRequestType.Discard, 0, new byte[8]), BlockStatus.IoError),
        ["too many ranges"] = (guest => guest.Send(BlockRequestType.Discard, 0, new byte[65 * 16]), BlockStatus.IoError),
        ["a discard beyond the end"] = (guest => guest.Send(BlockRequestType.Discard, 0, BlockGuest.Ranges(new(0, 8, 0), new(2040, 9, 0))), BlockStatus.IoError),
        ["a discard with a flag"] = (guest => guest.Send(BlockRequestType.Discard, 0, BlockGuest.Ranges(new BlockRange(0, 8, BlockRange.Unmap))), BlockStatus.Unsupported),
        ["zeroes with a reserved flag"] = (guest => guest.Send(BlockRequestType.WriteZeroes, 0, BlockGuest.Ranges(new BlockRange(0, 8, 2))), BlockStatus.Unsupported),
        ["zeroes of more than there is"] = (guest => guest.Send(BlockRequestType.WriteZeroes, 0, BlockGuest.Ranges(new BlockRange(0, uint.MaxValue, 0))), BlockStatus.IoError),
        ["an identification without room"] = (guest => guest.Ask(BlockRequestType.GetId, 0, 0).Status, BlockStatus.IoError),
    };

    [Theory]
    [MemberData(nameof(AllLies))]
    public void Lie_is_refused_and_the_next_request_is_served(string lie)
    {
        using BlockGuest guest = new();
        byte[] data = BlockGuest.Pattern(4096);
        guest.Write(0, data);

        Lies[lie].Lie(guest).Should().Be(Lies[lie].Status);

        guest.Read(0, 4096).Should().Equal(data);
        guest.Driver.ReadNeedsReset().Should().BeFalse();
    }

    [Theory]
    [InlineData((uint)BlockRequestType.Read)]
    [InlineData((uint)BlockRequestType.Write)]
    [InlineData((uint)BlockRequestType.Flush)]
    public void Request_without_room_for_a_status_is_given_back(uint type)
    {
        using BlockGuest guest = new();

        guest.Queue.Request([.. BlockGuest.Header((BlockRequestType)type), .. new byte[512]], 0).Should().BeEmpty();

        guest.Read(0, 512).Should().Equal(new byte[512]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Data_that_is_nowhere_is_an_error(bool reads)
    {
        using BlockGuest guest = new();
        Iova status = guest.Guest.Memory.Allocate(1);
        Iova header = guest.Guest.Place(BlockGuest.Header(reads ? BlockRequestType.Read : BlockRequestType.Write));

        guest.Queue.Add(
            new VirtioPart(header, 16, writable: false),
            new VirtioPart(new Iova(1ul << 45), 4096, writable: reads),
            new VirtioPart(status, 1, writable: true));
        guest.Queue.Notify();
        guest.Queue.Take();

        guest.Guest.Memory.Read<byte>(status).Should().Be(1);
        guest.Read(0, 512).Should().Equal(new byte[512]);
    }

    [Fact]
    public void Blocks_of_4096_bytes_are_read_and_written_as_a_whole()
    {
        using BlockGuest guest = new(options: new VirtioBlockOptions { BlockSize = 4096 });

        guest.Write(8, BlockGuest.Pattern(4096));

        guest.Ask(BlockRequestType.Read, 8, 512).Status.Should().Be(BlockStatus.IoError);
        guest.Ask(BlockRequestType.Read, 9, 4096).Status.Should().Be(BlockStatus.IoError);
        guest.Send(BlockRequestType.Discard, 0, BlockGuest.Ranges(new BlockRange(8, 7, 0))).Should().Be(BlockStatus.IoError);
        guest.Read(8, 4096).Should().Equal(BlockGuest.Pattern(4096));
    }

    [Fact]
    public void Disk_that_is_protected_is_read_only()
    {
        using BlockGuest guest = new(options: new VirtioBlockOptions { IsReadOnly = true });

        (guest.Driver.Features & (ulong)(BlockFeatures.ReadOnly | BlockFeatures.Discard | BlockFeatures.WriteZeroes | BlockFeatures.SecureErase))
            .Should().Be((ulong)BlockFeatures.ReadOnly);
        guest.Read(0, 512);
        guest.Send(BlockRequestType.Write, 0, new byte[512]).Should().Be(BlockStatus.IoError);
        guest.Send(BlockRequestType.Discard, 0, BlockGuest.Ranges(new BlockRange(0, 8, 0))).Should().Be(BlockStatus.Unsupported);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Failure_of_the_disk_is_the_request_s_alone(bool blocks)
    {
        using ScriptedDisk disk = new(1 << 20, blocks)
        {
            Before = static (_, offset, _) => offset switch
            {
                4096 => throw new DiskException(DiskError.Media),
                8192 => Task.FromException(new InvalidOperationException("a mistake")),
                _ => Task.CompletedTask,
            },
        };
        using BlockGuest guest = new(disk);

        guest.Ask(BlockRequestType.Read, 8, 512).Status.Should().Be(BlockStatus.IoError);
        guest.Send(BlockRequestType.Write, 16, new byte[512]).Should().Be(BlockStatus.IoError);
        guest.Write(0, new byte[512]);
    }

    [Fact]
    public void Flush_that_has_failed_stays_failed()
    {
        int failures = 0;
        using ScriptedDisk disk = new(1 << 20, hasCache: true)
        {
            Before = (call, _, _) => call is "flush" && failures++ == 0 ? throw new IOException("lost") : Task.CompletedTask,
        };
        using BlockGuest guest = new(disk);
        guest.Write(0, new byte[512]);

        guest.Send(BlockRequestType.Flush).Should().Be(BlockStatus.IoError);

        guest.Send(BlockRequestType.Flush).Should().Be(BlockStatus.IoError);
        failures.Should().Be(1);
        guest.Write(0, new byte[512]);
    }
}
