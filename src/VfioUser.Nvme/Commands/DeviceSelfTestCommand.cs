namespace VfioUser.Nvme;

/// <summary>Device Self-test: begins one, which goes on behind the commands, or aborts it. NVMe 2.0 5.9.</summary>
internal sealed class DeviceSelfTestCommand(ControllerParts parts) : IAdminCommand
{
    private const uint AllNamespaces = 0xFFFF_FFFF;

    private enum Selected
    {
        Short = 1,
        Extended = 2,
        Abort = 0xF,
    }

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        Selected selected = (Selected)(command.Dword10 & 0xF);
        if (selected == Selected.Abort)
        {
            parts.SelfTests.Abort(SelfTestResult.AbortedByCommand);
            return Status.Success;
        }
        if (selected is not (Selected.Short or Selected.Extended))
            return Status.InvalidField;
        IReadOnlyList<Namespace> spaces = [];
        if (command.Nsid == AllNamespaces)
            spaces = [.. parts.Namespaces.AllAttached];
        else if (parts.Namespaces.Attached(command.Nsid) is { } space)
            spaces = [space];
        else if (command.Nsid != 0)
            return parts.Namespaces.Refusal(command.Nsid);
        return parts.SelfTests.TryStart(new SelfTest((SelfTestKind)selected, command.Nsid, spaces)) ? Status.Success : Status.SelfTestInProgress;
    }
}
