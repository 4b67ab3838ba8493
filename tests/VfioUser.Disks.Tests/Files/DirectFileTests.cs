using FluentAssertions;
using Microsoft.Win32.SafeHandles;
using VfioUser.Disks.Tests.Support;
using Xunit;

namespace VfioUser.Disks.Tests.Files;

/// <summary>Accesses past the page cache that the kernel carries out, without a thread for each.</summary>
public sealed class DirectFileTests : IDisposable
{
    private const int Block = 4096;

    // not on a tmpfs, which not every kernel can open with O_DIRECT
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));

    private string ImagePath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Accesses_are_under_way_together_more_than_the_kernel_has_room_for()
    {
        const int Count = 1000;
        using FileDisk disk = Open(Count * Block);
        Memory<byte>[] found = [.. Enumerable.Range(0, Count).Select(_ => AlignedMemory.Allocate(Block))];

        Do(disk, [.. Enumerable.Range(0, Count).Select(i => disk.WriteInlineAsync(i * Block, Filled(i), default).AsTask())]);
        Do(disk, [.. Enumerable.Range(0, Count).Select(i => disk.ReadInlineAsync(i * Block, found[i], default).AsTask())]);

        for (int i = 0; i < Count; i++)
            found[i].ToArray().Should().Equal(Pattern.Of(Block, i));
    }

    [Fact]
    public async Task Threads_that_ask_at_the_same_time_get_their_own_answers()
    {
        const int Threads = 8, Each = 100;
        using FileDisk disk = Open(Threads * Block);

        await Task.WhenAll(Enumerable.Range(0, Threads).Select(number => Task.Run(() =>
        {
            Memory<byte> found = AlignedMemory.Allocate(Block);
            for (int i = 0; i < Each; i++)
            {
                Do(disk, disk.WriteInlineAsync(number * Block, Filled(number + i), default).AsTask());
                Do(disk, disk.ReadInlineAsync(number * Block, found, default).AsTask());
                found.ToArray().Should().Equal(Pattern.Of(Block, number + i));
            }
        })));
    }

    [Fact]
    public void Read_behind_the_end_of_a_file_that_was_cut_fails_and_others_do_not()
    {
        using FileDisk disk = Open(4 * Block);
        using (SafeFileHandle file = FileSystemCalls.OpenUnlocked(ImagePath))
            RandomAccess.SetLength(file, 2 * Block);
        ValueTask within = disk.ReadInlineAsync(0, AlignedMemory.Allocate(Block), default);
        ValueTask across = disk.ReadInlineAsync(Block, AlignedMemory.Allocate(2 * Block), default);
        ValueTask behind = disk.ReadInlineAsync(3 * Block, AlignedMemory.Allocate(Block), default);

        disk.Submit();

        Wait.For(within);
        FluentActions.Invoking(() => Wait.For(across)).Should().Throw<EndOfStreamException>();
        FluentActions.Invoking(() => Wait.For(behind)).Should().Throw<EndOfStreamException>();
    }

    [Fact]
    public async Task Access_that_the_kernel_refuses_fails_and_those_that_come_with_it_do_not()
    {
        using FileDisk disk = Open(4 * Block);
        Task<Continuation> before = Continuation.Of(disk.WriteInlineAsync(0, Filled(0), default));
        Task<Continuation> refused = Continuation.Of(disk.WriteInlineAsync(-Block, Filled(1), default));
        Task<Continuation> after = Continuation.Of(disk.WriteInlineAsync(Block, Filled(2), default));

        disk.Submit();

        (await before).Should().Match<Continuation>(it => it.Failure == null && it.Thread.Name == "file");
        (await after).Should().Match<Continuation>(it => it.Failure == null && it.Thread.Name == "file");
        (await refused).Should().Match<Continuation>(it => it.Failure is IOException && it.Thread.IsThreadPoolThread, "the thread that asks has others to ask for");
    }

    [Fact]
    public void Memory_that_is_not_aligned_is_accessed_too()
    {
        using FileDisk disk = Open(Block);
        byte[] found = new byte[Block + 1];

        Do(disk, disk.WriteInlineAsync(0, Pattern.Of(Block + 1).AsMemory(1), default).AsTask());
        Do(disk, disk.ReadInlineAsync(0, found.AsMemory(1), default).AsTask());

        found[1..].Should().Equal(Pattern.Of(Block + 1)[1..]);
    }

    [Theory]
    [InlineData(FileCacheMode.None, true, true)]
    [InlineData(FileCacheMode.DirectSync, true, false)]
    [InlineData(FileCacheMode.Writeback, false, false)]
    [InlineData(FileCacheMode.Writethrough, false, false)]
    public void Kernel_does_what_need_not_be_flushed(FileCacheMode cache, bool reads, bool writes)
    {
        using FileDisk disk = FileDisk.Open(ImagePath, new FileDiskOptions { Size = Block, Cache = cache });

        (disk.IsAsynchronous(writes: false), disk.IsAsynchronous(writes: true)).Should().Be((reads, writes));
    }

    [Fact]
    public void Disk_that_is_disposed_waits_for_what_is_under_way()
    {
        FileDisk disk = Open(64 * Block);
        ValueTask[] writes = [.. Enumerable.Range(0, 64).Select(i => disk.WriteInlineAsync(i * Block, Filled(i), default))];
        disk.Submit();

        disk.Dispose();

        writes.Should().OnlyContain(write => write.IsCompletedSuccessfully);
    }

    private FileDisk Open(long size) => FileDisk.Open(ImagePath, new FileDiskOptions { Size = size, Cache = FileCacheMode.None });

    private static void Do(FileDisk disk, params Task[] accesses)
    {
        disk.Submit();
        foreach (Task access in accesses)
            access.GetAwaiter().GetResult();
    }

    private static Memory<byte> Filled(int seed)
    {
        Memory<byte> memory = AlignedMemory.Allocate(Block);
        Pattern.Of(Block, seed).CopyTo(memory);
        return memory;
    }
}
