namespace VfioUser.Protocol;

/// <summary>All commands, by number: the only place that defines them.</summary>
/// <remarks>
/// Spec: "Commands", and each command's own section. A payload's structure is the one that it begins with, whatever follows.
/// SPDK's host sends the descriptor of the map with the unmap, too. So an unmap may have one; otherwise it would be given to a map
/// without a descriptor that was received just before (<see cref="FdRouting"/>).
/// </remarks>
internal static class ProtocolCommands
{
    private const int Fds = ProtocolLimits.MaxMessageFds;

    private static readonly CommandInfo[] Known =
    [
        FromClient(Command.Version, "version", PayloadInfo.Of<ProtocolVersion>(), PayloadInfo.Of<ProtocolVersion>(mostFds: 1)),
        FromClient(Command.DmaMap, "dma_map", PayloadInfo.Of<DmaMap>(mostFds: 1), PayloadInfo.None),
        FromClient(Command.DmaUnmap, "dma_unmap", PayloadInfo.Of<DmaUnmap>(mostFds: 1), PayloadInfo.Of<DmaUnmap>()),
        FromClient(Command.DeviceGetInfo, "device_get_info", PayloadInfo.Of<DeviceInfo>(), PayloadInfo.Of<DeviceInfo>()),
        FromClient(Command.DeviceGetRegionInfo, "device_get_region_info", PayloadInfo.Of<RegionInfo>(), PayloadInfo.Of<RegionInfo>(mostFds: 1)),
        FromClient(Command.DeviceGetRegionIoFds, "device_get_region_io_fds", PayloadInfo.Of<RegionIoFds>(), PayloadInfo.Of<RegionIoFds>(Fds)),
        FromClient(Command.DeviceGetIrqInfo, "device_get_irq_info", PayloadInfo.Of<IrqInfo>(), PayloadInfo.Of<IrqInfo>()),
        FromClient(Command.DeviceSetIrqs, "device_set_irqs", PayloadInfo.Of<IrqSet>(Fds), PayloadInfo.None),
        FromClient(Command.RegionRead, "region_read", PayloadInfo.Of<RegionAccess>(), PayloadInfo.Of<RegionAccess>(hasData: true)),
        FromClient(Command.RegionWrite, "region_write", PayloadInfo.Of<RegionAccess>(hasData: true), PayloadInfo.Of<RegionAccess>()),
        FromServer(Command.DmaRead, "dma_read", PayloadInfo.Of<DmaAccess>(), PayloadInfo.Of<DmaAccess>(hasData: true)),
        FromServer(Command.DmaWrite, "dma_write", PayloadInfo.Of<DmaAccess>(hasData: true), PayloadInfo.Of<DmaAccess>()),
        FromClient(Command.DeviceReset, "device_reset", PayloadInfo.None, PayloadInfo.None),
        FromClient(Command.RegionWriteMulti, "region_write_multi", PayloadInfo.Of<RegionWriteMulti>(), PayloadInfo.Of<RegionWriteMulti>()),
        FromClient(Command.DeviceFeature, "device_feature", PayloadInfo.Of<DeviceFeature>(), PayloadInfo.Of<DeviceFeature>()),
        FromClient(Command.MigDataRead, "mig_data_read", PayloadInfo.Of<MigrationData>(), PayloadInfo.Of<MigrationData>(hasData: true))
            with { MigrationStates = [MigrationState.PreCopy, MigrationState.StopCopy] },
        FromClient(Command.MigDataWrite, "mig_data_write", PayloadInfo.Of<MigrationData>(hasData: true), PayloadInfo.None)
            with { MigrationStates = [MigrationState.Resuming] },
        // a server has it only where its options say so
        FromClient(PreCopyInfo.Command, "mig_get_precopy_info", PayloadInfo.Of<PreCopyInfo>(), PayloadInfo.Of<PreCopyInfo>())
            with { IsSpecified = false, MigrationStates = [MigrationState.PreCopy] },
    ];

    private static readonly CommandInfo?[] ByNumber = [.. Enumerable.Range(0, Known.Max(info => (int)info.Command) + 1)
        .Select(number => Array.Find(Known, info => (int)info.Command == number))];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<CommandInfo> All => Known;

    /// <summary>One more than the highest number.</summary>
    public static int NumberCount => ByNumber.Length;

    /// <summary>One of them; null for a number that is none.</summary>
    public static CommandInfo? Find(Command command) => (int)command < ByNumber.Length ? ByNumber[(int)command] : null;

    private static CommandInfo FromClient(Command command, string name, PayloadInfo request, PayloadInfo reply) =>
        new(command, name, CommandSender.Client, request, reply);

    private static CommandInfo FromServer(Command command, string name, PayloadInfo request, PayloadInfo reply) =>
        new(command, name, CommandSender.Server, request, reply);
}
