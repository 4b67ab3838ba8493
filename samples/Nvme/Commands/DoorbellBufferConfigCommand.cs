using Nvme.Controller;
using Nvme.Data;
using Nvme.Doorbells;
using Nvme.Wire;
using VfioUser;

namespace Nvme.Commands;

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
        if (!parts.Dma.TryRead<uint>(new Iova(command.Prp1), out _) || !parts.Dma.TryRead(new Iova(command.Prp2), out uint first)
            || !parts.Dma.TryWrite(new Iova(command.Prp2), first))
        {
            return Status.InvalidField;
        }
        parts.Queues.UseShadow(new ShadowDoorbells(parts.Dma, command.Prp1, command.Prp2));
        parts.WakeWorkers();
        return Status.Success;
    }
}
