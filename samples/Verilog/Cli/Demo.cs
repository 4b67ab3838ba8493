using System.Diagnostics;
using Cosimulation;
using Verilog.Guest;
using VfioUser;
using VfioUser.Testing;

namespace Verilog.Cli;

/// <summary>The engine and a guest in one process, over a real socket.</summary>
internal static class Demo
{
    private const int Length = 64 << 10;

    public static void Run(VerilatedModel model)
    {
        using CopyCard card = new(model);
        using TestGuest guest = TestGuest.Attach(card);
        CopyDriver driver = new(guest);
        Console.WriteLine($"A guest drives the engine of rtl/copy_crc.v, whose ID is 0x{guest.Bar0.Read<uint>(CopyDriver.Id):X8}.");

        Iova source = guest.Place("123456789"u8);
        Expect(driver.Run(source, destination: null, length: 9) == CopyDriver.Done, "the sum is done");
        uint sum = guest.Bar0.Read<uint>(CopyDriver.Checksum);
        Console.WriteLine($"  The CRC-32C of \"123456789\" is 0x{sum:X8}.");
        Expect(sum == 0xE3069283, "this is the published value");

        byte[] bytes = new byte[Length];
        Random.Shared.NextBytes(bytes);
        Iova destination = guest.Memory.Allocate(Length);
        long start = Stopwatch.GetTimestamp();
        Expect(driver.Run(guest.Place(bytes), destination, Length) == CopyDriver.Done, "the copy is done");
        double milliseconds = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        uint cycles = guest.Bar0.Read<uint>(CopyDriver.Cycles);
        Console.WriteLine($"  {Length >> 10} KiB were copied in {cycles} cycles, which took {milliseconds:F1} ms: {cycles / milliseconds / 1000:F1} MHz.");
        Expect(guest.Memory.ReadBytes(destination, Length).AsSpan().SequenceEqual(bytes), "the copy has the same bytes");

        uint status = driver.Run(new Iova(0x7000_0000_0000), destination: null, length: 8);
        Expect(status == CopyDriver.Error, "memory that is not there is an error");
        Console.WriteLine("  A read of memory that is not there is answered with an error, which the engine reports.");
        Console.WriteLine("Done: registers, memory and the interrupt work.");
    }

    private static void Expect(bool condition, string what)
    {
        if (!condition)
            throw new InvalidOperationException($"Not so: {what}.");
    }
}
