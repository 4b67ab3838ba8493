using System.Text;

namespace VfioUser.Disks;

/// <summary>Where an image is: <c>rbd:pool[/namespace]/image[@snapshot][:option=value...]</c>, as QEMU has it. Immutable.</summary>
/// <param name="Pool">Of the cluster.</param>
/// <param name="Namespace">In the pool; empty for the default one.</param>
/// <param name="Image">Its name.</param>
/// <param name="Snapshot">Of the image; null for the image itself.</param>
/// <param name="User">Without <c>client.</c>; null for the default one.</param>
/// <param name="Configuration">Path of a file; null for the usual places.</param>
/// <param name="Options">Of the configuration, in their order.</param>
internal sealed record RbdAddress(string Pool, string Namespace, string Image, string? Snapshot, string? User, string? Configuration,
    IReadOnlyList<KeyValuePair<string, string>> Options)
{
    public const string Prefix = "rbd:";

    /// <exception cref="ArgumentException">It is no such address.</exception>
    public static RbdAddress Parse(string text)
    {
        string rest = text.StartsWith(Prefix, StringComparison.Ordinal) ? text[Prefix.Length..] : throw Wrong(text);
        string[] parts = Split(rest, ':');
        string[] snapshot = Split(parts[0], '@');
        string[] names = [.. Split(snapshot[0], '/').Select(Unescape)];
        if (names.Length is < 2 or > 3 || names.Any(string.IsNullOrEmpty) || snapshot.Length > 2 || snapshot[^1].Length == 0)
            throw Wrong(text);
        string? user = null, configuration = null;
        List<KeyValuePair<string, string>> options = [];
        foreach (string part in parts[1..])
        {
            string[] option = Split(part, '=');
            if (option.Length != 2 || option[0].Length == 0)
                throw new ArgumentException($"'{text}': '{part}' is no option=value.", nameof(text));
            (string name, string value) = (Unescape(option[0]), Unescape(option[1]));
            if (string.Equals(name, "id", StringComparison.Ordinal))
                user = value;
            else if (string.Equals(name, "conf", StringComparison.Ordinal))
                configuration = value;
            else
                options.Add(new(name, value));
        }
        return new RbdAddress(names[0], names.Length == 3 ? names[1] : "", names[^1], snapshot.Length == 2 ? Unescape(snapshot[1]) : null,
            user, configuration, options);
    }

    /// <summary>As in a line of a log, without options, which may be secret.</summary>
    public override string ToString() =>
        $"{Prefix}{Pool}/{(Namespace.Length > 0 ? Namespace + "/" : "")}{Image}{(Snapshot is null ? "" : "@" + Snapshot)}";

    private static ArgumentException Wrong(string text) =>
        new($"'{text}' is no address of an image in Ceph: rbd:pool/image[@snapshot][:id=user][:conf=file][:option=value].", nameof(text));

    // at each separator that no backslash is before
    private static string[] Split(string text, char separator)
    {
        List<string> parts = [];
        int start = 0;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == separator)
            {
                parts.Add(text[start..i]);
                start = i + 1;
            }
        }
        parts.Add(text[start..]);
        return [.. parts];
    }

    private static string Unescape(string text)
    {
        StringBuilder plain = new(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
                i++;
            plain.Append(text[i]);
        }
        return plain.ToString();
    }
}
