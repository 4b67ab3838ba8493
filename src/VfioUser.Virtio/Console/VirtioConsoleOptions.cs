namespace VfioUser.Virtio;

/// <summary>What a console is made with. Immutable.</summary>
public sealed record VirtioConsoleOptions
{
    /// <summary>Names of ports beside the console, up to 30; Linux shows each as /dev/virtio-ports/NAME. A name has 1 to 127 printable
    /// ASCII characters, and no slash.</summary>
    public IReadOnlyList<string> Ports { get; init; } = [];

    /// <summary>Width of the terminal in characters, up to 65535.</summary>
    public int Columns { get; init; } = 80;

    /// <summary>Height of the terminal in lines, up to 65535.</summary>
    public int Rows { get; init; } = 25;

    /// <summary>From how many bytes on that wait for their reader a direction of a port is full: 1 to 16 MiB.</summary>
    public int BufferSize { get; init; } = 64 << 10;

    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(Ports);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Ports.Count, 30, nameof(Ports));
        foreach (string name in Ports)
        {
            if (name is not { Length: > 0 and < 128 } || name.Any(static c => c is <= ' ' or > '~' or '/'))
                throw new ArgumentException($"\"{name}\" is no name of a port: 1 to 127 printable ASCII characters, no slash.", nameof(Ports));
        }
        if (Ports.Distinct(StringComparer.Ordinal).Count() != Ports.Count)
            throw new ArgumentException("Two ports have the same name.", nameof(Ports));
        ArgumentOutOfRangeException.ThrowIfLessThan(BufferSize, 1, nameof(BufferSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BufferSize, 16 << 20, nameof(BufferSize));
        CheckSize(Columns, Rows);
    }

    internal static void CheckSize(int columns, int rows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(columns, ushort.MaxValue);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, ushort.MaxValue);
    }
}
