using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>The SMART / Health Information log. NVMe 1.4 figure 194.</summary>
internal static class SmartLog
{
    public const int PageSize = 512;

    public static void Write(ControllerParts parts, Span<byte> page)
    {
        NvmeStatistics done = parts.Statistics;
        page[0] = (byte)((parts.Features.IsTemperatureOut ? 1 << 1 : 0) | (parts.HasLostWrites ? 1 << 2 : 0));
        BinaryPrimitives.WriteUInt16LittleEndian(page[1..], Features.Temperature);
        page[3] = 100; // available spare, per cent
        page[4] = 10; // its threshold
        Put(page, 32, Units(done.BytesRead));
        Put(page, 48, Units(done.BytesWritten));
        Put(page, 64, done.Reads);
        Put(page, 80, done.Writes);
        Put(page, 112, 1); // power cycles
        Put(page, 128, (long)(DateTimeOffset.UtcNow - done.Since).TotalHours);
        Put(page, 160, done.MediaErrors);
        Put(page, 176, (long)parts.Errors.Count);

        // thousands of 512 bytes, rounded up
        static long Units(long bytes) => (bytes / 512 + 999) / 1000;

        static void Put(Span<byte> page, int offset, long value) => BinaryPrimitives.WriteInt64LittleEndian(page[offset..], value);
    }
}
