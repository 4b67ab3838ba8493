namespace VfioUser.Nvme;

/// <summary>Set Features. NVMe 1.4 5.21.</summary>
internal sealed class SetFeatures(FeatureCommands features) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result) => features.Set(command, context, out result);
}
