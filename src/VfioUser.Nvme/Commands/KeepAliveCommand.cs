namespace VfioUser.Nvme;

/// <summary>Keep Alive: the driver lives. NVMe 1.4 5.18.</summary>
internal sealed class KeepAliveCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        parts.KeepAlive.Restart();
        return Status.Success;
    }
}
