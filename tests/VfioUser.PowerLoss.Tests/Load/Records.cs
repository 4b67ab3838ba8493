using System.Runtime.InteropServices;

namespace VfioUser.PowerLoss.Tests.Load;

/// <summary>Sectors that tell where they belong, and of which write they are. Version 0 are zeros.</summary>
internal static class Records
{
    private const int Words = Operation.SectorSize / sizeof(ulong);

    public static void Fill(Span<byte> sectors, int first, ulong version)
    {
        for (int i = 0; i < sectors.Length / Operation.SectorSize; i++)
            FillSector(sectors.Slice(i * Operation.SectorSize, Operation.SectorSize), first + i, version);
    }

    /// <summary>Which version a sector has.</summary>
    /// <returns>Null if it is none, or another sector's.</returns>
    public static ulong? VersionOf(ReadOnlySpan<byte> sector, int number)
    {
        ulong version = MemoryMarshal.Cast<byte, ulong>(sector)[1];
        Span<byte> expected = stackalloc byte[Operation.SectorSize];
        FillSector(expected, number, version);
        return sector.SequenceEqual(expected) ? version : null;
    }

    private static void FillSector(Span<byte> sector, int number, ulong version)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(sector);
        words.Clear();
        if (version == 0)
            return;
        (words[0], words[1]) = ((ulong)number, version);
        ulong mixed = version * 0x9E37_79B9_7F4A_7C15 + (ulong)number + 1;
        for (int i = 2; i < Words; i++)
        {
            mixed ^= mixed << 13;
            mixed ^= mixed >> 7;
            mixed ^= mixed << 17;
            words[i] = mixed;
        }
    }
}
