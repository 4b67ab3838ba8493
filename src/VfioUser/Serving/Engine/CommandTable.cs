using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The handlers of <see cref="ProtocolCommands"/>. Immutable.</summary>
internal static class CommandTable
{
    private static readonly CommandHandler?[] Handlers = Fill();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CommandHandler? Find(Command command) => (int)command < Handlers.Length ? Handlers[(int)command] : null;

    private static CommandHandler?[] Fill()
    {
        Dictionary<Command, CommandHandler> handlers = new()
        {
            [Command.Version] = new VersionHandler(),
            [Command.DmaMap] = new DmaMapHandler(),
            [Command.DmaUnmap] = new DmaUnmapHandler(),
            [Command.DeviceGetInfo] = new GetInfoHandler(),
            [Command.DeviceGetRegionInfo] = new GetRegionInfoHandler(),
            [Command.DeviceGetRegionIoFds] = new GetRegionIoFdsHandler(),
            [Command.DeviceGetIrqInfo] = new GetIrqInfoHandler(),
            [Command.DeviceSetIrqs] = new SetIrqsHandler(),
            [Command.RegionRead] = new RegionReadHandler(),
            [Command.RegionWrite] = new RegionWriteHandler(),
            [Command.RegionWriteMulti] = new RegionWriteMultiHandler(),
            [Command.DeviceReset] = new DeviceResetHandler(),
            [Command.DeviceFeature] = new DeviceFeatureHandler(),
            [Command.MigDataRead] = new MigDataReadHandler(),
            [Command.MigDataWrite] = new MigDataWriteHandler(),
            [PreCopyInfo.Command] = new PreCopyInfoHandler(),
        };
        CommandHandler?[] table = new CommandHandler?[ProtocolCommands.NumberCount];
        foreach (CommandInfo info in ProtocolCommands.All)
        {
            if (info.Sender == CommandSender.Client)
                table[(int)info.Command] = handlers[info.Command];
        }
        return table;
    }
}
