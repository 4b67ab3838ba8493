using System.Globalization;

namespace VfioUser.Tool.Regions;

/// <summary>Prints bytes as <c>lspci -x</c> does: sixteen a line, after their offset.</summary>
internal static class HexDump
{
    private const int PerLine = 16;

    public static void Write(TextWriter output, ulong offset, ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at += PerLine)
        {
            output.Write((offset + (uint)at).ToString("x2", CultureInfo.InvariantCulture));
            output.Write(':');
            foreach (byte value in bytes.Slice(at, Math.Min(PerLine, bytes.Length - at)))
            {
                output.Write(' ');
                output.Write(value.ToString("x2", CultureInfo.InvariantCulture));
            }
            output.Write('\n');
        }
    }
}
