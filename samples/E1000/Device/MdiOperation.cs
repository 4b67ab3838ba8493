namespace E1000.Device;

/// <summary>What MDIC asks of the PHY.</summary>
internal enum MdiOperation : byte
{
    None,
    Write,
    Read,
}
