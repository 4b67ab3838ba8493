using System.Globalization;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Shell.Verbs;

/// <summary>The guest's memory.</summary>
internal static class DmaVerbs
{
    private const ulong MaxDump = 1 << 20;
    private const ulong MaxLength = 1 << 30;

    public static IReadOnlyList<Verb> All { get; } =
    [
        new("dma alloc", "NAME LENGTH", "Reserves pages, and sets $NAME to their address", Allocate),
        new("dma place", "NAME DATA...", $"Puts data on pages of its own, and sets $NAME to their address. Data is {GuestData.Forms}", Place),
        new("dma write", "ADDRESS DATA...", "Writes data", Write),
        new("dma fill", "ADDRESS LENGTH BYTE", "Writes one byte many times", Fill),
        new("dma dump", "ADDRESS LENGTH [WIDTH]", "Prints bytes, or words of a width, with ASCII", Dump),
        new("dma compare", "ADDRESS ADDRESS LENGTH", "Fails if two ranges are not the same", Compare),
        new("dma save", "ADDRESS LENGTH FILE", "Writes bytes to a file", Save),
        Verb.Alone("dma unmap", "Takes the memory from the device", session => session.Guest.Memory.Unmap()),
        Verb.Alone("dma map", "Gives it to the device again", session => session.Guest.Memory.Map()),
        new("expect dma", "ADDRESS == DATA...", "Fails if the memory has other bytes", ExpectBytes),
    ];

    /// <summary>Carries out <c>expect dma</c>, if that is what follows.</summary>
    public static bool TryExpect(ShellSession session, Words words)
    {
        if (!words.TryTake("dma"))
            return false;
        ExpectBytes(session, words);
        return true;
    }

    private static void Allocate(ShellSession session, Words words)
    {
        string name = LanguageVerbs.TakeName(words);
        ulong length = TakeLength(session, words, MaxLength);
        words.End();
        Set(session, name, session.Guest.Memory.Allocate(length));
    }

    private static void Place(ShellSession session, Words words)
    {
        string name = LanguageVerbs.TakeName(words);
        Set(session, name, session.Guest.Place(GuestData.Take(session, words)));
    }

    private static void Write(ShellSession session, Words words)
    {
        Iova address = TakeAddress(session, words);
        session.Guest.Memory.Write(address, GuestData.Take(session, words));
    }

    private static void Fill(ShellSession session, Words words)
    {
        Iova address = TakeAddress(session, words);
        byte[] bytes = new byte[TakeLength(session, words, MaxLength)];
        ulong value = session.TakeNumber(words, "BYTE");
        words.End();
        if (value > byte.MaxValue)
            throw new UsageException($"0x{value:x} does not fit into a byte.");
        bytes.AsSpan().Fill((byte)value);
        session.Guest.Memory.Write(address, bytes);
    }

    private static void Dump(ShellSession session, Words words)
    {
        Iova address = TakeAddress(session, words);
        int length = (int)TakeLength(session, words, MaxDump);
        int width = Target.TakeWidth(words) ?? 1;
        words.End();
        HexDump.Write(session.Terminal.Out, address.Value, session.Guest.Memory.ReadBytes(address, length), width);
    }

    private static void Compare(ShellSession session, Words words)
    {
        Iova first = TakeAddress(session, words);
        Iova second = TakeAddress(session, words);
        int length = (int)TakeLength(session, words, MaxLength);
        words.End();
        Differ(first, session.Guest.Memory.ReadBytes(first, length), session.Guest.Memory.ReadBytes(second, length));
    }

    private static void Save(ShellSession session, Words words)
    {
        Iova address = TakeAddress(session, words);
        int length = (int)TakeLength(session, words, MaxLength);
        string file = words.Take("FILE");
        words.End();
        File.WriteAllBytes(file, session.Guest.Memory.ReadBytes(address, length));
    }

    private static void ExpectBytes(ShellSession session, Words words)
    {
        Iova address = TakeAddress(session, words);
        if (!words.TryTake("=="))
            throw new UsageException("After the address comes == and the data.");
        byte[] expected = GuestData.Take(session, words);
        // posted writes, and what the device does for them, come first
        session.Client.GetDeviceInfo();
        Differ(address, session.Guest.Memory.ReadBytes(address, expected.Length), expected);
    }

    private static void Differ(Iova address, byte[] bytes, byte[] expected)
    {
        int same = bytes.AsSpan().CommonPrefixLength(expected);
        if (same == bytes.Length)
            return;
        int count = Math.Min(16, bytes.Length - same);
        throw new ToolException(string.Create(CultureInfo.InvariantCulture,
            $"expected {Convert.ToHexStringLower(expected, same, count)} at 0x{address.Value + (uint)same:x}, and there is {Convert.ToHexStringLower(bytes, same, count)}"));
    }

    private static Iova TakeAddress(ShellSession session, Words words) => new(session.TakeNumber(words, "ADDRESS"));

    private static ulong TakeLength(ShellSession session, Words words, ulong most)
    {
        ulong length = session.TakeNumber(words, "LENGTH");
        return length is > 0 && length <= most ? length : throw new UsageException($"A length is from 1 to {most} bytes, not {length}.");
    }

    private static void Set(ShellSession session, string name, Iova address)
    {
        session.Variables[name] = address.Value;
        session.Confirm($"${name} = 0x{address.Value:x}");
    }
}
