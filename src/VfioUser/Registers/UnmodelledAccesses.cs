using System.Globalization;

namespace VfioUser;

/// <summary>Accesses to what the device does not have: counted, and each place reported once.</summary>
/// <remarks>Command thread, but for <see cref="Count"/>.</remarks>
internal sealed class UnmodelledAccesses
{
    // a guest chooses the places
    private const int MaxPlaces = 64;

    private readonly HashSet<(string What, ulong Offset)> _places = [];
    private long _count;

    /// <summary>How many there were. Any thread.</summary>
    public long Count => Volatile.Read(ref _count);

    /// <summary>Whether each is an exception of the device: for tests.</summary>
    public bool IsStrict { get; set; }

    /// <summary>Gets those of the device that is served.</summary>
    public IUnmodelledObserver? Observer { get; set; }

    /// <summary>Where nothing is declared.</summary>
    public void At(PciRegion region, ulong offset, int length, bool write) => Report(region.ToString(), offset, () =>
        string.Create(CultureInfo.InvariantCulture, $"{Verb(write)} {length} bytes at 0x{offset:x} of {region}, where nothing is declared"));

    /// <summary>What the author has tagged.</summary>
    public void Tagged(string name, ulong offset, int length, bool write) => Report(name, 0, () =>
        string.Create(CultureInfo.InvariantCulture, $"{Verb(write)} {length} bytes at 0x{offset:x} of {name}, which is not modelled"));

    /// <summary>Ones for reserved bits.</summary>
    public void ReservedBits(NamedPart register, ulong bits) => Report(register.Name, bits, () =>
        string.Create(CultureInfo.InvariantCulture, $"writes ones to the reserved bits 0x{bits:x} of {register.Name}"));

    private static string Verb(bool write) => write ? "writes" : "reads";

    private void Report(string what, ulong offset, Func<string> words)
    {
        Interlocked.Increment(ref _count);
        if (IsStrict)
            throw new InvalidOperationException($"The guest {words()}.");
        if (Observer is { } observer && _places.Count < MaxPlaces && _places.Add((what, offset)))
            observer.Unmodelled(words());
    }
}
