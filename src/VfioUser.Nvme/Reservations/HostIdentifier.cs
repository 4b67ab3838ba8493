namespace VfioUser.Nvme;

/// <summary>Names a host, which may have several controllers. NVMe 2.0 5.27.1.25.</summary>
/// <param name="Value">Not 0, which names none.</param>
/// <param name="IsExtended">Whether it has 128 bits, and not 64.</param>
internal sealed record HostIdentifier(UInt128 Value, bool IsExtended)
{
    /// <summary>Bytes of the identifier.</summary>
    public int Length => LengthOf(IsExtended);

    public static int LengthOf(bool isExtended) => isExtended ? 16 : sizeof(ulong);
}
