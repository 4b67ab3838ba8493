namespace VfioUser.Nvme;

/// <summary>Doorbell Buffer Config: from now on I/O queues are rung in guest memory. NVMe 1.4 5.7.</summary>
internal sealed class DoorbellBufferConfigCommand(ControllerParts parts) : IAdminCommand
{
    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        if (!parts.OffersShadowDoorbells)
            return Status.InvalidOpcode;
        if (command.Prp1 % Prp.PageSize != 0 || command.Prp2 % Prp.PageSize != 0)
            return Status.InvalidField;
        // both pages must be there now; what becomes of them later is the guest's loss
        if (!IsWritable(command.Prp1) || !IsWritable(command.Prp2))
            return Status.InvalidField;
        bool hadOther = parts.Queues.Shadow is not null;
        Status status = parts.Queues.StartShadow(new ShadowDoorbells(parts.Dma, command.Prp1, command.Prp2))
            ? Status.Success : Status.DataTransferError;
        parts.Workers.WakeIo();
        return hadOther ? WaitForWorkers(status, context) : status;
    }

    // one of them may be about to arm a doorbell on the pages before, which the driver frees when it has the completion
    private CommandOutcome WaitForWorkers(Status status, CommandContext context)
    {
        context.Pass.Leave();
        parts.Workers.WaitForRounds();
        return context.Reenter(status);
    }

    // the places of the admin queue are not used
    private bool IsWritable(ulong page)
    {
        Iova first = new(page);
        return parts.Dma.TryRead(first, out uint value) && parts.Dma.TryWrite(first, value);
    }
}
