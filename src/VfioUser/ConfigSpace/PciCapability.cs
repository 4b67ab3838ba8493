namespace VfioUser;

/// <summary>A capability, or an extended one, in the configuration space of a device.</summary>
/// <remarks>Immutable; derived types label their own members. PCI 3.0 6.7.</remarks>
public class PciCapability
{
    internal PciCapability(ushort id, int offset, int size)
    {
        Id = id;
        Offset = offset;
        Size = size;
    }

    /// <summary>Capability ID; 8 bits, or 16 for an extended one.</summary>
    public ushort Id { get; }

    /// <summary>Where it starts in the configuration space: from 0x40, or from 0x100 for an extended one.</summary>
    public int Offset { get; }

    /// <summary>Its size in bytes, header included.</summary>
    public int Size { get; }
}
