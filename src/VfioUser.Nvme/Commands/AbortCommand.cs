namespace VfioUser.Nvme;

/// <summary>Abort: best effort: requests for events are, and disks are told. NVMe 1.4 5.1.</summary>
internal sealed class AbortCommand(ControllerParts parts) : IAdminCommand
{
    private const uint NotAborted = 1;

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        ushort sqId = (ushort)command.Dword10;
        ushort commandId = (ushort)(command.Dword10 >> 16);
        result = NotAborted;
        if (parts.Queues.Submission(sqId) is not { } queue)
            return Status.InvalidField;
        // what was aborted says so itself: whether its disk gives it up, and when, is not known here
        if (sqId != 0)
            parts.Workers.Abort(queue, commandId);
        if (sqId != 0 || queue.Completions.Reserve(1) == 0)
            return Status.Success;
        if (!parts.Events.Cancel(commandId))
        {
            queue.Completions.Release(1);
            return Status.Success;
        }
        queue.Completions.Post(0, queue.Head, queue.Id, commandId, Status.AbortRequested);
        result = 0;
        return Status.Success;
    }
}
