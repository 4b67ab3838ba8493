using System.Globalization;

namespace VfioUser;

/// <summary>Accesses to what the device does not model: counted, and reported once for each offset, tag or set of reserved bits.</summary>
/// <remarks>Command thread, but for <see cref="Count"/>.</remarks>
internal sealed class UnmodelledAccesses
{
    // bounded, since a guest can access any offset
    private const int MaxReported = 64;

    private readonly HashSet<(string? Name, RegionIndex Region, long Offset)> _reported = [];
    private long _count;

    /// <summary>How many there were. Any thread.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Whether each throws an exception, as one of the device: for tests.</summary>
    public bool IsStrict { get; set; }

    /// <summary>Notified of them; null while the device is not served.</summary>
    public IUnmodelledObserver? Observer { get; set; }

    /// <summary>An access to an offset at which nothing is declared.</summary>
    public void At(RegionIndex region, long offset, int length, bool write)
    {
        if (ShouldReport(null, region, offset))
            Report($"{Verb(write)} {length} bytes at 0x{offset:x} of {region}, where nothing is declared");
    }

    /// <summary>An access to a tag.</summary>
    public void Tagged(string name, long offset, int length, bool write)
    {
        if (ShouldReport(name, default, 0))
            Report($"{Verb(write)} {length} bytes at 0x{offset:x} of {name}, which is not modelled");
    }

    /// <summary>A write of ones to reserved bits.</summary>
    public void ReservedBits(NamedPart register, ulong bits)
    {
        if (ShouldReport(register.Name, default, (long)bits))
            Report($"writes ones to the reserved bits 0x{bits:x} of {register.Name}");
    }

    /// <summary>A write to a register that takes none: what drivers do now and then, and so said in tests only.</summary>
    public void ReadOnly(NamedPart register)
    {
        if (IsStrict)
            Report($"writes {register.Name}, which is read-only");
    }

    private static string Verb(bool write) => write ? "writes" : "reads";

    // checked before the text is formatted, since a guest may repeat an access any number of times
    private bool ShouldReport(string? name, RegionIndex region, long offset)
    {
        Interlocked.Increment(ref _count);
        return IsStrict || (Observer is not null && _reported.Count < MaxReported && _reported.Add((name, region, offset)));
    }

    private void Report(FormattableString access)
    {
        string text = access.ToString(CultureInfo.InvariantCulture);
        if (IsStrict)
            throw new InvalidOperationException($"The guest {text}.");
        Observer?.Unmodelled(text);
    }
}
