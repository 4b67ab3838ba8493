namespace VfioUser.Protocol;

/// <summary>KVM_IOREGION_ bits of the proposed ioregionfd interface.</summary>
/// <remarks>Spec: Sub-Region IO FD info format (ioregionfd). The interface never entered Linux.</remarks>
[Flags]
public enum IoRegionFdFlags : uint
{
    /// <summary>No bit set.</summary>
    None = 0,

    /// <summary>The address is an I/O port, not memory.</summary>
    Pio = 0x1,

    /// <summary>The guest does not wait for its writes; must be set if the size is 0.</summary>
    PostedWrites = 0x2,
}
