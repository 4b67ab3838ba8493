namespace VfioUser;

/// <content>Extended capabilities of PCI Express.</content>
public sealed partial class ConfigSpace
{
    /// <summary>Advanced error reporting, if the device has it.</summary>
    /// <remarks>Any thread.</remarks>
    public AerCapability? Aer { get; private set; }

    /// <summary>Access control services, if the device has them.</summary>
    /// <remarks>Any thread.</remarks>
    public AcsCapability? Acs { get; private set; }

    /// <summary>Address translation services, if the device has them.</summary>
    /// <remarks>Any thread.</remarks>
    public AtsCapability? Ats { get; private set; }

    /// <summary>Latency tolerance reporting, if the device has it.</summary>
    /// <remarks>Any thread.</remarks>
    public LtrCapability? Ltr { get; private set; }

    /// <summary>The resizable BARs, if the device has any.</summary>
    /// <remarks>Any thread.</remarks>
    public ResizableBarCapability? ResizableBars { get; private set; }

    /// <summary>Single root I/O virtualization, if the device has it.</summary>
    /// <remarks>Any thread.</remarks>
    public SriovCapability? Sriov { get; private set; }

    /// <summary>Adds advanced error reporting: <see cref="AerCapability.Report(AerUncorrectableErrors, ReadOnlySpan{uint})"/> fills its
    /// registers.</summary>
    /// <param name="options">Which errors the device can detect; null for those of an endpoint.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. 44 bytes. PCI Express 6.0 7.8.4.</remarks>
    public AerCapability AddAer(AerOptions? options = null, int? offset = null)
    {
        const string Name = "AER";
        RefuseSecond(Aer, Name);
        PciExpressCapability express = NeedPciExpress(Name);
        RegisterBlock block = AddExtendedCapabilityBlock(
            PciRegister.ExtendedAdvancedErrorReporting, AerCapability.Version, AerCapability.Length, Name, offset);
        return Aer = new AerCapability(this, express, block, (int)block.StartOf(0), options ?? new AerOptions());
    }

    /// <summary>Adds access control services of a function.</summary>
    /// <param name="features">What the guest can enable.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first free one.</param>
    /// <exception cref="ArgumentException">A feature is none, or the offset is in use or impossible.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. 8 bytes. The library forwards nothing between functions, so nothing is controlled: the guest learns that it may
    /// put the function into an IOMMU group of its own. PCI Express 6.0 7.7.11.</remarks>
    public AcsCapability AddAcs(AcsFeatures features, int? offset = null)
    {
        const string Name = "ACS";
        RefuseSecond(Acs, Name);
        if ((features & ~AcsCapability.Known) != 0)
            throw new ArgumentException($"{features} has bits that are no feature of ACS.", nameof(features));
        int at = PlaceExtended(PciRegister.ExtendedAccessControlServices, version: 1, AcsCapability.Length, offset, Name);
        return Acs = new AcsCapability(this, at, features);
    }

    /// <summary>Adds address translation services: the guest can let the device keep translations.</summary>
    /// <param name="invalidateQueueDepth">Invalidations that the device takes at a time: 1 to 32.</param>
    /// <param name="globalInvalidate">Whether one invalidation may be for all address spaces.</param>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible, or the depth is.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. 8 bytes. vfio-user has no message to translate an address or to invalidate a translation: <see cref="PciDevice.Dma"/>
    /// takes the addresses that the client maps, whatever the guest enables here. PCI Express 6.0 10.5.1.</remarks>
    public AtsCapability AddAts(int invalidateQueueDepth = 32, bool globalInvalidate = false, int? offset = null)
    {
        const string Name = "ATS";
        RefuseSecond(Ats, Name);
        if (invalidateQueueDepth is < 1 or > 32)
            throw new ArgumentOutOfRangeException(nameof(invalidateQueueDepth), invalidateQueueDepth, "The invalidate queue takes 1 to 32.");
        int at = PlaceExtended(PciRegister.ExtendedAddressTranslationServices, version: 1, AtsCapability.Length, offset, Name);
        return Ats = new AtsCapability(this, at, invalidateQueueDepth, globalInvalidate);
    }

    /// <summary>Adds latency tolerance reporting: the guest sets how long requests of the device may take.</summary>
    /// <param name="offset">0x100 for the first extended capability, else a multiple of 4 above; null for the first free one.</param>
    /// <exception cref="ArgumentException">The offset is in use or not possible.</exception>
    /// <exception cref="InvalidOperationException">There is one already, there is no PCI Express capability, no offset is free, or the
    /// device is being served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. 8 bytes. PCI Express 6.0 7.8.2.</remarks>
    public LtrCapability AddLtr(int? offset = null)
    {
        const string Name = "LTR";
        RefuseSecond(Ltr, Name);
        PciExpressCapability express = NeedPciExpress(Name);
        int at = PlaceExtended(PciRegister.ExtendedLatencyToleranceReporting, version: 1, LtrCapability.Length, offset, Name);
        express.SupportLtr();
        return Ltr = new LtrCapability(this, at);
    }

    internal ResizableBarCapability AddResizableBars(ResizableBar[] bars, int? offset)
    {
        const string Name = "resizable BAR";
        RefuseSecond(ResizableBars, Name);
        int size = ResizableBarCapability.HeaderSize + (bars.Length * ResizableBarCapability.EntrySize);
        int at = PlaceExtended(PciRegister.ExtendedResizableBar, version: 1, size, offset, Name);
        return ResizableBars = new ResizableBarCapability(this, at, bars);
    }

    internal SriovCapability AddSriov(SriovOptions options, int? offset)
    {
        const string Name = "SR-IOV";
        RefuseSecond(Sriov, Name);
        NeedPciExpress(Name);
        int at = PlaceExtended(PciRegister.ExtendedSingleRootIov, version: 1, SriovCapability.Length, offset, Name);
        return Sriov = new SriovCapability(this, at, options);
    }

    private PciExpressCapability NeedPciExpress(string name) =>
        PciExpress ?? throw NoPciExpress(name);

    private static InvalidOperationException NoPciExpress(string name) =>
        new($"{name} belongs to PCI Express, and no guest looks for it without: call AddPciExpress first.");
}
