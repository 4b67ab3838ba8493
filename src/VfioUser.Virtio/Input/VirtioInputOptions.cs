using System.Text;

namespace VfioUser.Virtio;

/// <summary>What an input device has. Immutable.</summary>
public sealed record VirtioInputOptions
{
    internal const int MaxData = 128;

    /// <summary>Its name, of 1 to 128 bytes as UTF-8.</summary>
    public required string Name { get; init; }

    /// <summary>Its serial number, up to 128 bytes as UTF-8; empty for none.</summary>
    public string Serial { get; init; } = "";

    /// <summary>Numbers of bus, vendor and product.</summary>
    public InputIds Ids { get; init; } = new(Bus: 6, Vendor: 0x1AF4, Product: 0, Version: 1);

    /// <summary>Properties: INPUT_PROP_ of linux/input-event-codes.h, 0 to 1023.</summary>
    public IReadOnlyList<int> Properties { get; init; } = [];

    /// <summary>For each type of event the codes that it has, 0 to 1023. Lights and sounds are those that the guest may set.</summary>
    public IReadOnlyDictionary<InputEventType, IReadOnlyList<int>> Codes { get; init; } = new Dictionary<InputEventType, IReadOnlyList<int>>();

    /// <summary>The range of each axis, by its code; 0 to 63. They need not be in <see cref="Codes"/>.</summary>
    public IReadOnlyDictionary<int, InputAxis> Axes { get; init; } = new Dictionary<int, InputAxis>();

    /// <summary>How many events wait for the driver at most: 16 to 65536. A report for which there is no room is dropped.</summary>
    public int Capacity { get; init; } = 1024;

    internal void Check()
    {
        ArgumentException.ThrowIfNullOrEmpty(Name);
        ArgumentNullException.ThrowIfNull(Serial);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Encoding.UTF8.GetByteCount(Name), MaxData, nameof(Name));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Encoding.UTF8.GetByteCount(Serial), MaxData, nameof(Serial));
        CheckCodes(Properties, 8 * MaxData, nameof(Properties));
        foreach ((InputEventType type, IReadOnlyList<int> codes) in Codes)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan((int)type, byte.MaxValue, nameof(Codes));
            CheckCodes(codes, 8 * MaxData, nameof(Codes));
        }
        CheckCodes(Axes.Keys, 64, nameof(Axes));
        ArgumentOutOfRangeException.ThrowIfLessThan(Capacity, 16, nameof(Capacity));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Capacity, 1 << 16, nameof(Capacity));
    }

    private static void CheckCodes(IEnumerable<int> codes, int end, string name)
    {
        foreach (int code in codes)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(code, name);
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(code, end, name);
        }
    }
}
