using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>Namespace Attachment: the driver decides which namespaces it sees. NVMe 1.4 5.19.</summary>
internal sealed class NamespaceAttachmentCommand(ControllerParts parts) : IAdminCommand
{
    private const int ListLength = 4096;
    private const int MostControllers = ListLength / sizeof(ushort) - 1;

    private enum Selected
    {
        Attach = 0,
        Detach = 1,
    }

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        Selected selected = (Selected)(command.Dword10 & 0xF);
        if (selected is not (Selected.Attach or Selected.Detach))
            return Status.InvalidField;
        if (parts.Namespaces.Allocated(command.Nsid) is not { } space)
            return parts.Namespaces.Refusal(command.Nsid);
        if (space.IsReserved(writes: true))
            return Status.ReservationConflict;
        List<NamespaceSet> controllers = [];
        Status status = ReadList(command, context, controllers);
        if (status != Status.Success)
            return status;
        context.Pass.Leave(); // what has begun may wait for its disk
        return context.Reenter(Change(selected, space.Id, controllers));
    }

    // all of them or, if one cannot be, none
    private static Status Change(Selected selected, uint nsid, List<NamespaceSet> controllers)
    {
        bool attach = selected == Selected.Attach;
        if (controllers.Exists(set => set.Allocated(nsid) is not { } view || view.IsAttached == attach))
            return attach ? Status.NamespaceAlreadyAttached : Status.NamespaceNotAttached;
        foreach (NamespaceSet set in controllers)
        {
            if (set.Allocated(nsid) is not { } view)
                continue; // removed meanwhile
            if (attach)
                set.Attach(view);
            else
                set.Detach(view);
        }
        return Status.Success;
    }

    private Status ReadList(in Command command, CommandContext context, List<NamespaceSet> controllers)
    {
        Status status = context.Map(command, ListLength, isAdmin: true);
        if (status != Status.Success)
            return status;
        Span<byte> list = context.Bounce(ListLength).Span;
        if (!context.Data.TryCopyTo(0, list))
            return Status.DataTransferError;
        int count = BinaryPrimitives.ReadUInt16LittleEndian(list);
        if (count is 0 or > MostControllers)
            return Status.ControllerListInvalid;
        for (int i = 1; i <= count; i++)
        {
            if (parts.Subsystem.Find(BinaryPrimitives.ReadUInt16LittleEndian(list[(i * sizeof(ushort))..])) is not { } set)
                return Status.ControllerListInvalid;
            if (!controllers.Contains(set))
                controllers.Add(set);
        }
        return Status.Success;
    }
}
