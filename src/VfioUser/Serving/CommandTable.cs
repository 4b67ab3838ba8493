using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Who serves which command. Immutable.</summary>
internal static class CommandTable
{
    private static readonly CommandHandler?[] Handlers = Fill();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CommandHandler? Find(Command command) => (int)command < Handlers.Length ? Handlers[(int)command] : null;

    private static CommandHandler?[] Fill()
    {
        CommandHandler?[] table = new CommandHandler?[(int)PreCopyInfo.Command + 1];
        table[(int)Command.Version] = new VersionHandler();
        table[(int)Command.DmaMap] = new DmaMapHandler();
        table[(int)Command.DmaUnmap] = new DmaUnmapHandler();
        table[(int)Command.DeviceGetInfo] = new GetInfoHandler();
        table[(int)Command.DeviceGetRegionInfo] = new GetRegionInfoHandler();
        table[(int)Command.DeviceGetRegionIoFds] = new GetRegionIoFdsHandler();
        table[(int)Command.DeviceGetIrqInfo] = new GetIrqInfoHandler();
        table[(int)Command.DeviceSetIrqs] = new SetIrqsHandler();
        table[(int)Command.RegionRead] = new RegionReadHandler();
        table[(int)Command.RegionWrite] = new RegionWriteHandler();
        table[(int)Command.RegionWriteMulti] = new RegionWriteMultiHandler();
        table[(int)Command.DeviceReset] = new DeviceResetHandler();
        table[(int)Command.DeviceFeature] = new DeviceFeatureHandler();
        table[(int)Command.MigDataRead] = new MigDataReadHandler();
        table[(int)Command.MigDataWrite] = new MigDataWriteHandler();
        table[(int)PreCopyInfo.Command] = new PreCopyInfoHandler();
        return table;
    }
}
