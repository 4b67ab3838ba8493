namespace VfioUser.Nvme;

/// <summary>Create I/O Completion Queue. NVMe 1.4 5.3.</summary>
internal sealed class CreateCompletionQueueCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        ushort id = (ushort)command.Dword10;
        uint size = (command.Dword10 >> 16) + 1;
        bool interrupts = (command.Dword11 & 2) != 0;
        ushort vector = (ushort)(command.Dword11 >> 16);
        if (id == 0 || id > parts.Queues.LastId || parts.Queues.Completion(id) is not null)
            return Status.InvalidQueueId;
        if (QueueCommands.Problem(parts, command, size) is { } problem)
            return problem;
        if (interrupts && vector >= parts.Interrupts.Vectors) // with INTx it may be any of them: MSI-X may be enabled later
            return Status.InvalidInterruptVector;
        parts.Queues.Add(new CompletionQueueState(command.Prp1, id, vector, size, 0, 0, Phase: 1, (byte)(interrupts ? 1 : 0), 0));
        return Status.Success;
    }
}
