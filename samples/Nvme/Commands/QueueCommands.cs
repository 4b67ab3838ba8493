using Nvme.Core;
using Nvme.Data;
using Nvme.Queues;
using Nvme.Wire;

namespace Nvme.Commands;

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
        if (interrupts && vector >= (parts.Interrupts.UsesIntx ? 1 : parts.Interrupts.Vectors))
            return Status.InvalidInterruptVector;
        parts.Queues.Add(new CompletionQueueState(command.Prp1, id, vector, size, 0, 0, Phase: 1, (byte)(interrupts ? 1 : 0), 0));
        return Status.Success;
    }
}

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
