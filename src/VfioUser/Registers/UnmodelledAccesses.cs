using System.Globalization;

namespace VfioUser;

/// <summary>Accesses to what the device does not have: counted, and each place reported once.</summary>
/// <remarks>Command thread, but for <see cref="Count"/>.</remarks>
internal sealed class UnmodelledAccesses
{
    // a guest chooses the places
    private const int MaxPlaces = 64;

    private readonly HashSet<(string? Name, PciRegion Region, long Offset)> _places = [];
    private long _count;

    /// <summary>How many there were. Any thread.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Whether each is an exception of the device: for tests.</summary>
    public bool IsStrict { get; set; }

    /// <summary>Gets those of the device that is served.</summary>
    public IUnmodelledObserver? Observer { get; set; }

    /// <summary>Where nothing is declared.</summary>
    public void At(PciRegion region, long offset, int length, bool write)
    {
        if (IsToBeTold(null, region, offset))
            Tell($"{Verb(write)} {length} bytes at 0x{offset:x} of {region}, where nothing is declared");
    }

    /// <summary>What the author has tagged.</summary>
    public void Tagged(string name, long offset, int length, bool write)
    {
        if (IsToBeTold(name, default, 0))
            Tell($"{Verb(write)} {length} bytes at 0x{offset:x} of {name}, which is not modelled");
    }

    /// <summary>Ones for reserved bits.</summary>
    public void ReservedBits(NamedPart register, ulong bits)
    {
        if (IsToBeTold(register.Name, default, (long)bits))
            Tell($"writes ones to the reserved bits 0x{bits:x} of {register.Name}");
    }

    private static string Verb(bool write) => write ? "writes" : "reads";

    // a guest may come again and again: words are made only for who reads them
    private bool IsToBeTold(string? name, PciRegion region, long offset)
    {
        Interlocked.Increment(ref _count);
        return IsStrict || (Observer is not null && _places.Count < MaxPlaces && _places.Add((name, region, offset)));
    }

    private void Tell(FormattableString words)
    {
        string text = words.ToString(CultureInfo.InvariantCulture);
        if (IsStrict)
            throw new InvalidOperationException($"The guest {text}.");
        Observer?.Unmodelled(text);
    }
}
