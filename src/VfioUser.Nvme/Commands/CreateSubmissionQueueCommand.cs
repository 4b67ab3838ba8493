namespace VfioUser.Nvme;

/// <summary>Create I/O Submission Queue. NVMe 1.4 5.4.</summary>
internal sealed class CreateSubmissionQueueCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        ushort id = (ushort)command.Dword10;
        uint size = (command.Dword10 >> 16) + 1;
        ushort completions = (ushort)(command.Dword11 >> 16);
        if (id == 0 || id > parts.Queues.LastId || parts.Queues.Submission(id) is not null)
            return Status.InvalidQueueId;
        if (completions == 0 || completions > parts.Queues.LastId)
            return Status.InvalidQueueId;
        if (parts.Queues.Completion(completions) is not { } queue)
            return Status.CompletionQueueInvalid;
        if (QueueCommands.Problem(parts, command, size) is { } problem)
            return problem;
        SubmissionQueue made = parts.Queues.Add(new SubmissionQueueState(command.Prp1, id, completions, size, 0, 0), queue);
        parts.Workers.Assign(made);
        return Status.Success;
    }
}
