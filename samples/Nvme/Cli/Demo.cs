using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Nvme.Driver;
using VfioUser;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Testing;

namespace Nvme.Cli;

/// <summary>A controller with a disk in memory, and a guest that drives it over a real socket: identify, queues, write, verify, rates.</summary>
internal static class Demo
{
    private const long DiskSize = 256 << 20;
    private const int PieceSize = 128 << 10;
    private const int BlockSize = 4096;
    private const int Depth = 32;
    private static readonly TimeSpan RateTime = TimeSpan.FromSeconds(1);

    public static int Run(TextWriter output)
    {
        using MemoryDisk disk = new(DiskSize);
        using NvmeController controller = new([disk], new NvmeControllerOptions { IoQueues = 2, BlockSize = BlockSize });
        using TestGuest guest = TestGuest.Attach(controller, new TestGuestOptions { MemorySize = 32 << 20 });
        using NvmeDriver driver = new(guest);
        output.WriteLine($"Serving an NVMe controller with a {DiskSize >> 20} MiB disk in memory; attached to it as a guest.");

        driver.Enable();
        Iova page = guest.Memory.Allocate(4096);
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Identify(1, page)));
        Span<byte> identity = stackalloc byte[4096];
        guest.Memory.Read(page, identity);
        output.WriteLine($"  guest: controller \"{Text(identity[24..64])}\", serial number \"{Text(identity[4..24])}\", ready and identified");
        DriverQueue queue = driver.CreateQueue(1, 64);
        DriverQueue second = driver.CreateQueue(2, 64);
        output.WriteLine("  guest: two I/O queues made, each with an MSI-X vector");

        WriteAndVerify(driver, queue, output);
        Rate(driver, queue, "4 KiB random reads, depth 1", IoOpcode.Read, 1, output);
        Rate(driver, queue, $"4 KiB random reads, depth {Depth}", IoOpcode.Read, Depth, output);
        Rate(driver, second, $"4 KiB random writes, depth {Depth}", IoOpcode.Write, Depth, output);

        driver.DeleteQueue(queue);
        driver.DeleteQueue(second);
        driver.Shutdown();
        driver.Disable();
        output.WriteLine("Done: written, verified, and shut down in order.");
        return 0;
    }

    // Writes a different pattern to every block, and reads it back.
    private static void WriteAndVerify(NvmeDriver driver, DriverQueue queue, TextWriter output)
    {
        byte[] expected = new byte[PieceSize];
        byte[] found = new byte[PieceSize];
        (Iova data, Iova list) = DataWithList(driver, PieceSize);
        Stopwatch clock = Stopwatch.StartNew();
        for (long offset = 0; offset < DiskSize; offset += PieceSize)
        {
            Fill(expected, offset);
            driver.Guest.Memory.Write(data, expected);
            NvmeDriver.Expect(queue.Execute(Transfer(IoOpcode.Write, offset, PieceSize, data, list)));
            Progress(output, "written", offset + PieceSize);
        }
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Flush)));
        for (long offset = 0; offset < DiskSize; offset += PieceSize)
        {
            NvmeDriver.Expect(queue.Execute(Transfer(IoOpcode.Read, offset, PieceSize, data, list)));
            driver.Guest.Memory.Read(data, found);
            Fill(expected, offset);
            if (!found.AsSpan().SequenceEqual(expected))
                throw new InvalidOperationException($"What was read at {offset} is not what was written.");
            Progress(output, "verified", offset + PieceSize);
        }
        EndProgress(output);
        double rate = 2.0 * DiskSize / clock.Elapsed.TotalSeconds / 1e9;
        output.WriteLine(Invariant($"  guest: {DiskSize >> 20} MiB written, flushed, read and compared, {rate:F2} GB/s"));
    }

    private static void Rate(NvmeDriver driver, DriverQueue queue, string what, IoOpcode opcode, int depth, TextWriter output)
    {
        Iova[] pages = [.. Enumerable.Range(0, depth).Select(_ => driver.Guest.Memory.Allocate(BlockSize))];
        Random random = new(1);
        long done = 0;
        int inFlight = 0;
        Stopwatch clock = Stopwatch.StartNew();
        while (clock.Elapsed < RateTime || inFlight > 0)
        {
            bool put = false;
            while (inFlight < depth && clock.Elapsed < RateTime)
            {
                queue.Put(NewCommand.Io(opcode, (ulong)random.NextInt64(DiskSize / BlockSize), 1, pages[inFlight]));
                inFlight++;
                put = true;
            }
            if (put)
                queue.Ring();
            NvmeDriver.Expect(queue.Take(ring: false));
            do
            {
                inFlight--;
                done++;
            }
            while (queue.TryTake(out _, ring: false));
            queue.RingHead();
        }
        double seconds = clock.Elapsed.TotalSeconds;
        output.WriteLine(Invariant($"  guest: {what}: {done / seconds:N0} IOPS, {done * BlockSize / seconds / 1e6:N0} MB/s"));
    }

    private static Command Transfer(IoOpcode opcode, long offset, int length, Iova data, Iova list) =>
        NewCommand.Io(opcode, (ulong)(offset / BlockSize), length / BlockSize, data, list);

    private static (Iova Data, Iova List) DataWithList(NvmeDriver driver, int length)
    {
        Iova data = driver.Guest.Memory.Allocate((ulong)length);
        Iova list = driver.Guest.Memory.Allocate(4096);
        for (int i = 1; i < length / 4096; i++)
            driver.Guest.Memory.Write(list + (ulong)(i - 1) * 8, (data + (ulong)i * 4096).Value);
        return (data, list);
    }

    // A different value in every eight bytes of the disk.
    private static void Fill(Span<byte> bytes, long offset)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < words.Length; i++)
            words[i] = (ulong)(offset / sizeof(ulong) + i + 1) * 0x9E37_79B9_7F4A_7C15;
    }

    private static void Progress(TextWriter output, string what, long done)
    {
        const long Step = DiskSize / 32;
        if (Console.IsOutputRedirected || done % Step != 0)
            return;
        output.Write($"\r  guest: {what,-8} {done * 100 / DiskSize,3} % {new string('█', (int)(done / Step)),-32}");
    }

    private static void EndProgress(TextWriter output)
    {
        if (!Console.IsOutputRedirected)
            output.Write($"\r{new string(' ', 60)}\r");
    }

    private static string Text(ReadOnlySpan<byte> field) => System.Text.Encoding.ASCII.GetString(field).Trim();

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
