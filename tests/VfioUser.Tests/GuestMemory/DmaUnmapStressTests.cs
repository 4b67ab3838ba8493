using System.Buffers;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

public class DmaUnmapStressTests
{
    private const ulong At = 0x1_0000_0000;
    private const int Size = 0x2000;

    [Theory]
    [InlineData(GuestMemoryKind.Mapped, 100)]
    [InlineData(GuestMemoryKind.FileIo, 100)]
    [InlineData(GuestMemoryKind.TwinSocket, 60)]
    [InlineData(GuestMemoryKind.SingleSocket, 60)]
    public async Task Accesses_see_one_mapping_whole_or_none_and_never_touch_what_was_unmapped(GuestMemoryKind way, int rounds)
    {
        using DmaRig rig = new(way);
        using CancellationTokenSource done = new();
        Task<int>[] users =
        [
            Background.Run(() => UseUntil(() => ReadWhole(rig.Dma), done.Token)),
            Background.Run(() => UseUntil(() => WriteWhole(rig.Dma), done.Token)),
            Background.Run(() => UseUntil(() => LeaseWhole(rig.Dma), done.Token)),
            .. way == GuestMemoryKind.Mapped ? [Background.Run(() => UseUntil(() => PinWhole(rig.Dma), done.Token))] : Array.Empty<Task<int>>(),
        ];

        for (int round = 0; round < rounds; round++)
        {
            byte pattern = (byte)(round % 200 + 1);
            using SharedMemory memory = SharedMemory.Create(Size);
            memory.Slice(0, Size).Fill(pattern);
            rig.MapExisting(At, memory, way);
            // devices have a chance to see it
            bool used = SpinWait.SpinUntil(() => memory.Slice(Size - 1, 1)[0] == Mark(pattern), TimeSpan.FromMilliseconds(5));
            rig.Client.UnmapDma(At, Size);

            // from now on it is the guest's alone; who accesses it for the device, does so no more
            rig.Forget(memory);
            memory.Slice(0, Size).Fill(0xEE);
            rig.Dma.TryRead(new Iova(At), out byte _).Should().BeFalse();
            for (int i = 0; i < 5; i++)
            {
                memory.Slice(0, Size).IndexOfAnyExcept((byte)0xEE).Should().Be(-1, $"nothing writes after the unmap (used: {used})");
                Thread.Yield();
            }
        }
        await done.CancelAsync();

        foreach (Task<int> user in users)
            (await user.WaitAsync(Background.Timeout)).Should().BePositive("every kind of access succeeded now and then");
    }

    private static byte Mark(byte pattern) => (byte)(pattern | 0x80);

    private static int UseUntil(Func<bool> use, CancellationToken done)
    {
        int successes = 0;
        while (!done.IsCancellationRequested)
        {
            if (use())
                successes++;
            else
                Thread.Yield();
        }
        return successes;
    }

    // the last quarter is where the writer marks; the rest belongs to the guest
    private static bool ReadWhole(Dma dma)
    {
        byte[] bytes = new byte[Size * 3 / 4];
        if (!dma.TryRead(new Iova(At), bytes))
            return bytes.AsSpan().IndexOfAnyExcept((byte)0) < 0 ? false : throw new InvalidOperationException("A failed read must clear.");
        Check(bytes);
        return true;
    }

    private static bool WriteWhole(Dma dma)
    {
        if (!dma.TryRead(new Iova(At), out byte pattern))
            return false;
        // between the two another mapping may have come: then the mark is another one's, and nobody minds
        byte[] marks = new byte[Size / 4];
        marks.AsSpan().Fill(Mark(pattern));
        return dma.TryWrite(new Iova(At + Size * 3 / 4), marks);
    }

    private static bool LeaseWhole(Dma dma)
    {
        if (!dma.TryLease(new Iova(At), Size, writable: true, out DmaLease lease))
            return false;
        bool written;
        using (lease)
        {
            byte[] bytes = new byte[Size * 3 / 4];
            if (!lease.TryRead(0, bytes))
                throw new InvalidOperationException("A lease holds the memory.");
            Check(bytes);
            written = lease.TryWrite(Size * 3 / 4, bytes.AsSpan(0, 16));
        }
        lease.Dispose(); // again: that ends no lease of another thread
        return written;
    }

    // as I/O that is still in flight when its pin is disposed
    private static bool PinWhole(Dma dma)
    {
        if (!dma.TryPin(new Iova(At), Size, DmaPinAccess.ReadWrite, out DmaPin pin))
            return false;
        using MemoryHandle inFlight = pin.Segments[0].Pin();
        nint pointer = pin.DangerousGetPointer();
        pin.Dispose();
        byte[] bytes = new byte[Size * 3 / 4];
        Marshal.Copy(pointer, bytes, 0, bytes.Length);
        Check(bytes);
        Marshal.WriteByte(pointer, Size * 3 / 4, bytes[0]);
        return true;
    }

    private static void Check(byte[] bytes)
    {
        if (bytes[0] is 0 or 0xEE || bytes.AsSpan().IndexOfAnyExcept(bytes[0]) >= 0)
            throw new InvalidOperationException($"Bytes of no mapping, or of two, from {bytes[0]} on.");
    }
}
