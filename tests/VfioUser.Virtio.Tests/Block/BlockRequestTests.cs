namespace VfioUser.Virtio.Tests.Block;

public sealed class BlockRequestTests
{
    public static TheoryData<Layout> AllLayouts => Layouts.All;

    public static TheoryData<GuestMemoryKind> AllMemories => [.. Enum.GetValues<GuestMemoryKind>()];

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Guest_reads_what_it_wrote(Layout layout)
    {
        using BlockGuest guest = new(layout: layout);
        byte[] data = BlockGuest.Pattern(3 * 4096);

        guest.Write(8, data);

        guest.Read(8, data.Length).Should().Equal(data);
        guest.Read(16, 4096).Should().Equal(data[4096..8192]);
        guest.Read(0, 4096).Should().Equal(new byte[4096]);
    }

    [Theory]
    [MemberData(nameof(AllMemories))]
    public void Disks_of_every_kind_are_used_with_memory_of_every_kind(GuestMemoryKind memory)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("block-");
        try
        {
            Disk[] disks =
            [
                new MemoryDisk(1 << 20),
                FileDisk.Open(Path.Combine(folder.FullName, "disk.img"), 1 << 20),
                new ScriptedDisk(1 << 20),
                new ScriptedDisk(1 << 20, blocks: true),
                new ScriptedDisk(1 << 20) { Before = static async (_, _, _) => await Task.Yield() },
            ];
            foreach (Disk disk in disks)
            {
                using BlockGuest guest = new(disk, memory: memory);
                byte[] data = BlockGuest.Pattern(300 << 10);

                guest.Write(3, data);

                guest.Read(3, data.Length).Should().Equal(data);
                guest.Send(BlockRequestType.Flush).Should().Be(BlockStatus.Ok);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(FileCacheMode.Writeback)]
    [InlineData(FileCacheMode.None)]
    [InlineData(FileCacheMode.Writethrough)]
    [InlineData(FileCacheMode.DirectSync)]
    public void Files_are_read_and_written_in_pieces_of_any_alignment(FileCacheMode cache)
    {
        // not on a tmpfs, which not every kernel can open with O_DIRECT
        string path = Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName());
        try
        {
            using BlockGuest guest = new(FileDisk.Open(path, new FileDiskOptions { Size = 1 << 20, Cache = cache }), new VirtioBlockOptions { BlockSize = 4096 });
            byte[] data = BlockGuest.Pattern(8192);
            Iova header = guest.Guest.Place(BlockGuest.Header(BlockRequestType.Write, 8));
            Iova memory = guest.Guest.Memory.Allocate(8192);
            Iova status = guest.Guest.Memory.Allocate(1);

            foreach (int split in (int[])[4096, 1, 513, 8191])
            {
                guest.Guest.Memory.Write(memory, data.AsSpan(0, split));
                Iova rest = guest.Guest.Place(data.AsSpan(split));
                guest.Queue.Add(
                    new VirtioPart(header, 16, writable: false),
                    new VirtioPart(memory, split, writable: false),
                    new VirtioPart(rest, data.Length - split, writable: false),
                    new VirtioPart(status, 1, writable: true));
                guest.Queue.Notify();
                guest.Queue.Take();

                guest.Guest.Memory.Read<byte>(status).Should().Be(0);
                guest.Read(8, data.Length).Should().Equal(data);
                data.AsSpan().Reverse();
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Header_data_and_status_are_in_descriptors_of_any_kind()
    {
        using BlockGuest guest = new(layout: Layout.Split);
        byte[] data = BlockGuest.Pattern(1024);
        byte[] all = [.. BlockGuest.Header(BlockRequestType.Write, 2), .. data];
        Iova status = guest.Guest.Memory.Allocate(1);

        // the header in three pieces, the last with data
        guest.Queue.Add(
            new VirtioPart(guest.Guest.Place(all.AsSpan(0, 3)), 3, writable: false),
            new VirtioPart(guest.Guest.Place(all.AsSpan(3, 5)), 5, writable: false),
            new VirtioPart(guest.Guest.Place(all.AsSpan(8, 700)), 700, writable: false),
            new VirtioPart(guest.Guest.Place(all.AsSpan(708)), all.Length - 708, writable: false),
            new VirtioPart(status, 1, writable: true));
        guest.Queue.Notify();
        guest.Queue.Take().Written.Should().Be(1);
        guest.Guest.Memory.Read<byte>(status).Should().Be(0);

        // data and status in one descriptor
        guest.Read(2, 1024).Should().Equal(data);
    }

    [Fact]
    public void Requests_of_one_queue_are_with_the_disk_at_the_same_time_and_end_in_any_order()
    {
        TaskCompletionSource[] held = [.. Enumerable.Range(0, 50).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously))];
        using ScriptedDisk disk = new(1 << 20) { Before = (_, offset, _) => held[offset / 4096].Task };
        using BlockGuest guest = new(disk);
        PendingRequest[] requests = [.. Enumerable.Range(0, held.Length).Select(i => guest.Post(BlockRequestType.Write, (ulong)(8 * i), BlockGuest.Pattern(4096, i)))];
        SpinWait.SpinUntil(() => disk.Calls.Count == held.Length, TimeSpan.FromSeconds(60)).Should().BeTrue();

        List<ushort> ended = [];
        for (int i = held.Length - 1; i >= 0; i--)
        {
            held[i].SetResult();
            ended.Add((ushort)guest.Queue.Take().Id);
        }

        ended.Should().Equal(requests.Reverse().Select(request => request.Id));
        requests.Should().OnlyContain(request => guest.StatusOf(request) == BlockStatus.Ok);
    }

    [Fact]
    public void Every_queue_is_served()
    {
        using BlockGuest guest = new(options: new VirtioBlockOptions { Queues = 8 });

        guest.Config.Queues.Should().Be(8);
        guest.Driver.Queues.Should().HaveCount(8);
        for (int i = 0; i < 8; i++)
            guest.Send(BlockRequestType.Write, (ulong)(8 * i), BlockGuest.Pattern(4096, i), queue: i).Should().Be(BlockStatus.Ok);
        for (int i = 0; i < 8; i++)
            guest.Ask(BlockRequestType.Read, (ulong)(8 * i), 4096, queue: 7 - i).Data.Should().Equal(BlockGuest.Pattern(4096, i));
    }

    [Fact]
    public void Ranges_are_discarded_zeroed_and_erased()
    {
        using BlockGuest guest = new(new MemoryDisk(4 << 20));
        guest.Write(0, BlockGuest.Pattern(1 << 20));

        guest.Send(BlockRequestType.WriteZeroes, 0, BlockGuest.Ranges(new(8, 8, 0), new(32, 1, BlockRange.Unmap))).Should().Be(BlockStatus.Ok);
        guest.Send(BlockRequestType.SecureErase, 0, BlockGuest.Ranges(new BlockRange(64, 8, 0))).Should().Be(BlockStatus.Ok);

        byte[] expected = BlockGuest.Pattern(1 << 20);
        expected.AsSpan(4096, 4096).Clear();
        expected.AsSpan(32 * 512, 512).Clear();
        expected.AsSpan(64 * 512, 4096).Clear();
        guest.Read(0, 1 << 20).Should().Equal(expected);
        guest.Send(BlockRequestType.Discard, 0, BlockGuest.Ranges(new BlockRange(0, 2048, 0))).Should().Be(BlockStatus.Ok);
        ((MemoryDisk)guest.Disk).Allocated.Should().Be(0);
    }

    [Theory]
    [InlineData("a-serial-number", "a-serial-number")]
    [InlineData("twenty-characters-xx", "twenty-characters-xx")]
    public void Serial_number_is_told(string serial, string expected)
    {
        using BlockGuest guest = new(options: new VirtioBlockOptions { SerialNumber = serial });

        (BlockStatus status, byte[] id) = guest.Ask(BlockRequestType.GetId, 0, 20);

        status.Should().Be(BlockStatus.Ok);
        System.Text.Encoding.ASCII.GetString(id).TrimEnd('\0').Should().Be(expected);
    }

    [Fact]
    public void Disk_has_the_same_serial_number_wherever_it_is_served()
    {
        static byte[] IdOf(string identity)
        {
            using BlockGuest guest = new(new MemoryDisk(1 << 20, identity));
            return guest.Ask(BlockRequestType.GetId, 0, 20).Data;
        }

        IdOf("one").Should().Equal(IdOf("one")).And.NotEqual(IdOf("two"));
    }
}
