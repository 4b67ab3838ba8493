using System.Buffers.Binary;

namespace VfioUser.Tool.Shell;

/// <summary>Bytes on a line: "text", hex:00ff, file:PATH, and numbers as u8:, u16:, u32: and u64:, little-endian, several with commas.</summary>
internal static class GuestData
{
    public const string Forms = "\"text\", hex:00ff, file:PATH, u8:, u16:, u32: or u64: with numbers";

    private const long MaxFile = 1 << 30;

    /// <summary>Takes all words that follow, and puts their bytes together.</summary>
    /// <exception cref="UsageException">One of them has none of the forms.</exception>
    public static byte[] Take(ShellSession session, Words words)
    {
        List<byte> bytes = [];
        do
        {
            bytes.AddRange(words.TryTakeQuoted(out byte[] text) ? text : Of(session, words.Take("DATA")));
        }
        while (!words.IsAtEnd);
        return [.. bytes];
    }

    private static byte[] Of(ShellSession session, string word)
    {
        int colon = word.IndexOf(':', StringComparison.Ordinal);
        string content = word[(colon + 1)..];
        return (colon < 0 ? "" : word[..colon]) switch
        {
            "hex" => Hex(content),
            "file" => File(content),
            "u8" => Numbers(session, content, 1),
            "u16" => Numbers(session, content, 2),
            "u32" => Numbers(session, content, 4),
            "u64" => Numbers(session, content, 8),
            _ => throw new UsageException($"'{word}' is no data: {Forms}."),
        };
    }

    private static byte[] Hex(string digits)
    {
        try
        {
            return Convert.FromHexString(digits);
        }
        catch (FormatException)
        {
            throw new UsageException($"'{digits}' is not in hexadecimal: two digits for each byte.");
        }
    }

    private static byte[] File(string path)
    {
        if (path.Length == 0)
            throw new UsageException("A file's path is empty.");
        long length = new FileInfo(path).Length;
        return length <= MaxFile ? System.IO.File.ReadAllBytes(path) : throw new ToolException($"'{path}' has {length} bytes; {MaxFile} can be read.");
    }

    private static byte[] Numbers(ShellSession session, string list, int width)
    {
        string[] texts = list.Split(',');
        byte[] bytes = new byte[texts.Length * width + sizeof(ulong)];
        for (int i = 0; i < texts.Length; i++)
        {
            ulong value = session.NumberOf(texts[i]);
            if (width < sizeof(ulong) && value >> (8 * width) != 0)
                throw new UsageException($"0x{value:x} does not fit into u{8 * width}.");
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * width), value);
        }
        return bytes[..(texts.Length * width)];
    }
}
