namespace VfioUser;

/// <summary>Access control services: which requests may pass between functions without the root.</summary>
/// <remarks>Any thread. PCI Express 6.0 7.7.11.</remarks>
public sealed class AcsCapability : PciCapability
{
    internal const int Length = 8;

    internal const AcsFeatures Known = AcsFeatures.SourceValidation | AcsFeatures.TranslationBlocking | AcsFeatures.RequestRedirect |
        AcsFeatures.CompletionRedirect | AcsFeatures.UpstreamForwarding | AcsFeatures.DirectTranslatedP2P;

    // Offsets within the capability.
    private const int Capability = 4;
    private const int Control = 6;

    private readonly ConfigSpace _config;

    internal AcsCapability(ConfigSpace config, int offset, AcsFeatures features)
        : base(PciRegister.ExtendedAccessControlServices, offset, Length)
    {
        _config = config;
        Features = features;
        config.Define(offset + Capability, (ushort)features);
        config.Define<ushort>(offset + Control, 0, writeMask: (ushort)features);
    }

    /// <summary>What the guest can enable.</summary>
    public AcsFeatures Features { get; }

    /// <summary>What the guest has enabled.</summary>
    public AcsFeatures Enabled => (AcsFeatures)_config.ReadByte(Offset + Control);
}

/// <summary>Features of access control services.</summary>
/// <remarks>Immutable. The bits of the ACS Capability and Control registers; egress control, which needs a vector of bits, is left out.
/// PCI Express 6.0 7.7.11.2.</remarks>
[Flags]
public enum AcsFeatures
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>ACS Source Validation; of downstream ports.</summary>
    SourceValidation = 1 << 0,

    /// <summary>ACS Translation Blocking; of downstream ports.</summary>
    TranslationBlocking = 1 << 1,

    /// <summary>ACS P2P Request Redirect.</summary>
    RequestRedirect = 1 << 2,

    /// <summary>ACS P2P Completion Redirect.</summary>
    CompletionRedirect = 1 << 3,

    /// <summary>ACS Upstream Forwarding; of downstream ports.</summary>
    UpstreamForwarding = 1 << 4,

    /// <summary>ACS Direct Translated P2P.</summary>
    DirectTranslatedP2P = 1 << 6,
}
