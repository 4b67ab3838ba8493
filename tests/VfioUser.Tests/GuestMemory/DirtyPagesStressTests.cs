using System.Diagnostics;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DirtyPagesStressTests
{
    private const int Page = 4096;
    private const int Pages = 256;

    [Theory]
    [InlineData(GuestMemoryKind.Mapped)]
    [InlineData(GuestMemoryKind.FileIo)]
    public void A_copy_made_from_reports_ends_up_equal_whoever_writes_meanwhile(GuestMemoryKind memory)
    {
        PlainDevice device = new();
        using var guest = TestGuest.Attach(device, new TestGuestOptions { Memory = memory, MemorySize = Pages * Page });
        byte[] copy = new byte[Pages * Page];
        guest.Client.StartDirtyPages(Page);
        guest.Memory.Read(guest.Memory.Address, copy);
        using CancellationTokenSource stop = new();

        Task[] writers = [.. Enumerable.Range(0, 4).Select(seed => Background.Run(() => WriteUntil(stop.Token, seed)))];
        for (int round = 0; round < 300; round++)
            CopyDirty();
        stop.Cancel();
        Task.WhenAll(writers).MustEnd("no write takes for ever");
        CopyDirty();

        byte[] original = new byte[copy.Length];
        guest.Memory.Read(guest.Memory.Address, original);
        copy.AsSpan().SequenceEqual(original).Should().BeTrue();

        void WriteUntil(CancellationToken token, int seed)
        {
            Random random = new(seed);
            byte[] large = new byte[3 * Page];
            ulong value = 0;
            while (!token.IsCancellationRequested)
            {
                value++;
                int at = random.Next(0, copy.Length - large.Length) & ~7;
                if (value % 64 == 0)
                {
                    random.NextBytes(large);
                    device.Dma.TryWrite(guest.Memory.Address + (ulong)at, large);
                }
                else
                {
                    device.Dma.TryWrite(guest.Memory.Address + (ulong)at, value);
                }
            }
        }

        void CopyDirty()
        {
            ulong[] bitmap = guest.Client.GetDirtyPages(guest.Memory.Address.Value, Pages * Page, Page);
            for (int page = 0; page < Pages; page++)
            {
                if ((bitmap[page / 64] >> (page % 64) & 1) != 0)
                    guest.Memory.Read(guest.Memory.Address + (ulong)(page * Page), copy.AsSpan(page * Page, Page));
            }
        }
    }

    [Fact]
    public void Marks_of_many_threads_in_one_word_are_all_reported()
    {
        DirtyPages pages = new(0, 64 * Page - 1, Page);
        const int Rounds = 200_000;
        int[] marked = new int[2];
        long found = 0;
        long sent = 0;
        // each thread has a bit of its own and marks it again when it has been taken
        bool[] waiting = new bool[2];
        long start = Stopwatch.GetTimestamp();
        Task[] threads = [.. Enumerable.Range(0, 2).Select(bit => Background.Run(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                SpinWait spin = default;
                while (Volatile.Read(ref waiting[bit]) && !TooLong())
                    spin.SpinOnce();
                Volatile.Write(ref waiting[bit], true);
                pages.Mark((ulong)(bit * Page), 1);
                Interlocked.Increment(ref sent);
            }
            marked[bit] = 1;
        }))];
        byte[] bitmap = new byte[8];
        bool done;
        do
        {
            done = Volatile.Read(ref marked[0]) + Volatile.Read(ref marked[1]) == 2;
            pages.Take(0, 64 * Page - 1, new DirtyPagesReport(0, 64 * Page, Page, bitmap));
            for (int bit = 0; bit < 2; bit++)
            {
                if ((bitmap[0] >> bit & 1) == 0)
                    continue;
                found++;
                Volatile.Write(ref waiting[bit], false);
            }
        }
        while (!done && !TooLong());
        Task.WhenAll(threads).MustEnd("a mark that is lost is waited for in vain");

        found.Should().Be(sent).And.Be(2 * Rounds);

        bool TooLong() => Stopwatch.GetElapsedTime(start) > 4 * Background.Timeout;
    }
}
