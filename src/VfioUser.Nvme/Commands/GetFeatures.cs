namespace VfioUser.Nvme;

/// <summary>Get Features. NVMe 1.4 5.9.</summary>
internal sealed class GetFeatures(FeatureCommands features) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result) => features.Get(command, context, out result);
}
