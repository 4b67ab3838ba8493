namespace VfioUser.Nvme;

/// <summary>Delete I/O Submission Queue: what was fetched is completed first, what was not never is. NVMe 1.4 5.6.</summary>
internal sealed class DeleteSubmissionQueueCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        ushort id = (ushort)command.Dword10;
        if (id == 0 || parts.Queues.Submission(id) is not { } queue)
            return Status.InvalidQueueId;
        queue.InFlight.Close();
        context.Pass.Leave();
        queue.InFlight.Wait();
        if (!context.Pass.TryEnter())
            return CommandOutcome.NoCompletion;
        queue.Worker?.Remove(queue);
        parts.Queues.Remove(queue);
        return Status.Success;
    }
}
