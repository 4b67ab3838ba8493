namespace VfioUser.Nvme;

/// <summary>Delete I/O Completion Queue. NVMe 1.4 5.5.</summary>
internal sealed class DeleteCompletionQueueCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        ushort id = (ushort)command.Dword10;
        if (id == 0 || parts.Queues.Completion(id) is not { } queue)
            return Status.InvalidQueueId;
        if (queue.Users > 0)
            return Status.InvalidQueueDeletion;
        parts.Queues.Remove(queue);
        parts.Interrupts.Update();
        return Status.Success;
    }
}
