namespace VfioUser.Protocol;

/// <summary>The layout of a payload. Immutable.</summary>
internal sealed class PayloadInfo
{
    private readonly ToText? _toText;

    private PayloadInfo(Type? type, int size, int mostFds, bool hasData, ToText? toText)
    {
        Type = type;
        Size = size;
        MostFds = mostFds;
        HasData = hasData;
        _toText = toText;
    }

    private delegate string ToText(ReadOnlySpan<byte> payload);

    /// <summary>No payload, and no descriptors.</summary>
    public static PayloadInfo None { get; } = new(null, 0, 0, hasData: false, null);

    /// <summary>The structure that it begins with; null where there is no payload.</summary>
    public Type? Type { get; }

    /// <summary>Of that structure, in bytes.</summary>
    public int Size { get; }

    /// <summary>How many descriptors may come with it.</summary>
    public int MostFds { get; }

    /// <summary>Whether bytes of a region, of guest memory or of a device's state follow the structure.</summary>
    public bool HasData { get; }

    /// <summary>A payload that begins with a structure.</summary>
    public static PayloadInfo Of<T>(int mostFds = 0, bool hasData = false)
        where T : unmanaged =>
        new(typeof(T), System.Runtime.CompilerServices.Unsafe.SizeOf<T>(), mostFds, hasData,
            static payload => WireFormat.TryRead(payload, out T value) ? value.ToString() ?? "" : "");

    /// <summary>The structure in one line; empty where there is none, or not all of it.</summary>
    public string Describe(ReadOnlySpan<byte> payload) => _toText?.Invoke(payload) ?? "";
}
