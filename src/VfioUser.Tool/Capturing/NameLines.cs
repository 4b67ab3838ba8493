using System.Globalization;
using System.Text;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Capturing;

/// <summary>Names of registers as lines of a capture, in UTF-8: see <c>docs/trace-format.md</c>.</summary>
internal static class NameLines
{
    /// <summary>The lines of all registers, in pieces that begin with a register.</summary>
    /// <param name="names">Without control characters.</param>
    /// <param name="longest">Most bytes of a piece, which only one of a single register may exceed.</param>
    public static IEnumerable<byte[]> Of(RegisterNames names, int longest)
    {
        StringBuilder piece = new();
        // one without a name is called by its offset in the map
        foreach (string lines in (names.Map.Registers ?? []).Where(register => !register.Name.StartsWith("0x", StringComparison.Ordinal)).Select(Lines))
        {
            if (piece.Length > 0 && Encoding.UTF8.GetMaxByteCount(piece.Length + lines.Length) > longest)
            {
                yield return Encoding.UTF8.GetBytes(piece.ToString());
                piece.Clear();
            }
            piece.Append(lines);
        }
        if (piece.Length > 0)
            yield return Encoding.UTF8.GetBytes(piece.ToString());
    }

    private static string Lines(MappedRegister register)
    {
        StringBuilder lines = new();
        lines.Append(CultureInfo.InvariantCulture, $"{register.Region}\t{register.Offset}\t{register.Width}\t{register.Name}\n");
        foreach (MappedField field in register.Fields ?? [])
        {
            lines.Append(CultureInfo.InvariantCulture, $"\t{field.Bit}\t{field.Width}\t{field.Name}");
            foreach ((string name, ulong value) in field.Members ?? Enumerable.Empty<KeyValuePair<string, ulong>>())
                lines.Append(CultureInfo.InvariantCulture, $"\t{name}={value}");
            lines.Append('\n');
        }
        return lines.ToString();
    }
}
