using System.Globalization;
using VfioUser.Protocol;

namespace VfioUser.Tool.Regions;

/// <summary>Bytes as text, sixteen a line, after their offset.</summary>
internal static class HexDump
{
    private const int PerLine = 16;

    /// <summary>As <c>lspci -x</c> prints them, and <c>lspci -F</c> reads them.</summary>
    public static void WriteForLspci(TextWriter output, ReadOnlySpan<byte> bytes)
    {
        for (int at = 0; at < bytes.Length; at += PerLine)
        {
            output.Write(at.ToString("x2", CultureInfo.InvariantCulture));
            output.Write(':');
            foreach (byte value in Line(bytes, at))
            {
                output.Write(' ');
                output.Write(value.ToString("x2", CultureInfo.InvariantCulture));
            }
            output.Write('\n');
        }
    }

    /// <summary>Little-endian words in hexadecimal, and the same bytes as ASCII.</summary>
    /// <param name="output">Gets the lines.</param>
    /// <param name="offset">Of the first byte.</param>
    /// <param name="bytes">The bytes. What is left at their end and is no word is printed byte by byte.</param>
    /// <param name="width">Bytes in a word: 1, 2, 4 or 8.</param>
    public static void Write(TextWriter output, ulong offset, ReadOnlySpan<byte> bytes, int width)
    {
        int wordsWidth = PerLine / width * (2 * width + 1);
        for (int at = 0; at < bytes.Length; at += PerLine)
        {
            ReadOnlySpan<byte> line = Line(bytes, at);
            output.Write($"{(offset + (uint)at).ToString("x8", CultureInfo.InvariantCulture)} {Words(line, width).PadRight(wordsWidth)}  {Ascii(line)}\n");
        }
    }

    private static ReadOnlySpan<byte> Line(ReadOnlySpan<byte> bytes, int at) => bytes.Slice(at, Math.Min(PerLine, bytes.Length - at));

    private static string Words(ReadOnlySpan<byte> line, int width)
    {
        System.Text.StringBuilder words = new();
        Span<byte> wide = stackalloc byte[sizeof(ulong)];
        while (!line.IsEmpty)
        {
            int bytes = line.Length >= width ? width : 1;
            wide.Clear();
            line[..bytes].CopyTo(wide);
            words.Append(' ').Append(WireFormat.Read<ulong>(wide).ToString(string.Create(CultureInfo.InvariantCulture, $"x{2 * bytes}"), CultureInfo.InvariantCulture));
            line = line[bytes..];
        }
        return words.ToString();
    }

    private static string Ascii(ReadOnlySpan<byte> line)
    {
        Span<char> text = stackalloc char[PerLine];
        for (int i = 0; i < line.Length; i++)
            text[i] = line[i] is >= 0x20 and < 0x7F ? (char)line[i] : '.';
        return new string(text[..line.Length]);
    }
}
