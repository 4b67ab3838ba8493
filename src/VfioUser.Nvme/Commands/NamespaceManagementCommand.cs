namespace VfioUser.Nvme;

/// <summary>Namespace Management. Disks are the program's: it makes and removes namespaces, and a driver only attaches and detaches
/// them. So there is no capacity to make one of, and none may be deleted. NVMe 1.4 5.20.</summary>
internal sealed class NamespaceManagementCommand(ControllerParts parts) : IAdminCommand
{
    private const uint AllNamespaces = 0xFFFF_FFFF;

    private enum Selected
    {
        Create = 0,
        Delete = 1,
    }

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        return (Selected)(command.Dword10 & 0xF) switch
        {
            Selected.Create => command.Nsid == 0 ? Status.NamespaceInsufficientCapacity : Status.InvalidField,
            Selected.Delete when command.Nsid == AllNamespaces || parts.Namespaces.Allocated(command.Nsid) is not null => Status.OperationDenied,
            Selected.Delete => parts.Namespaces.Refusal(command.Nsid),
            _ => Status.InvalidField,
        };
    }
}
