namespace VfioUser.Disks;

/// <summary>What a server has said of an export, checked. Immutable.</summary>
/// <param name="Size">In bytes.</param>
/// <param name="Features">What it can do.</param>
/// <param name="IsStructured">Whether replies are structured.</param>
/// <param name="MinBlock">Offsets and lengths are multiples of it, in bytes; 1 if the server does not say.</param>
/// <param name="PreferredBlock">What is fastest, in bytes; 0 if the server does not say.</param>
/// <param name="MaxPayload">The most bytes of a read or write.</param>
internal sealed record NbdExport(long Size, NbdFeatures Features, bool IsStructured, int MinBlock, int PreferredBlock, int MaxPayload)
{
    /// <summary>What every server takes.</summary>
    public const int DefaultMaxPayload = 32 << 20;

    private const int LargestBlock = 64 << 10;

    /// <summary>Checks what a server says.</summary>
    /// <exception cref="NbdProtocolException">It cannot be.</exception>
    public static NbdExport Create(ulong size, ushort flags, bool structured, (uint Min, uint Preferred, uint Max)? blocks)
    {
        if (size > long.MaxValue)
            throw new NbdProtocolException($"The export has {size} bytes.");
        NbdFeatures features = (flags & (ushort)NbdFeatures.HasFlags) == 0 ? NbdFeatures.None : (NbdFeatures)flags;
        if (blocks is not { } said)
            return new NbdExport((long)size, features, structured, 1, 0, DefaultMaxPayload);
        if (!uint.IsPow2(said.Min) || said.Min > LargestBlock || !uint.IsPow2(said.Preferred) || said.Preferred < said.Min
            || said.Preferred > int.MaxValue || said.Max < said.Min || (said.Max != uint.MaxValue && said.Max % said.Min != 0))
        {
            throw new NbdProtocolException($"The export has blocks of {said.Min}, {said.Preferred} and {said.Max} bytes.");
        }
        // whole blocks of any namespace, unless the server takes less than that
        int most = (int)Math.Min(said.Max, DefaultMaxPayload);
        return new NbdExport((long)size, features, structured, (int)said.Min, (int)said.Preferred, most >= 4096 ? most / 4096 * 4096 : most);
    }

    public bool Can(NbdFeatures features) => (Features & features) == features;
}
