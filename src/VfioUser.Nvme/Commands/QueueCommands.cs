namespace VfioUser.Nvme;

/// <summary>What they have in common.</summary>
internal static class QueueCommands
{
    private const uint PhysicallyContiguous = 1;

    public static Status? Problem(ControllerParts parts, in Command command, uint size)
    {
        if (size < 2 || size > (uint)parts.Options.QueueEntries || !parts.Registers.Configuration.HasEntrySizes)
            return Status.InvalidQueueSize;
        if ((command.Dword11 & PhysicallyContiguous) == 0)
            return Status.InvalidField;
        return command.Prp1 % Prp.PageSize != 0 ? Status.InvalidPrpOffset : null;
    }
}
