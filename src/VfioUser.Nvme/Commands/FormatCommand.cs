namespace VfioUser.Nvme;

/// <summary>Format NVM: makes all blocks zero; of the size that the driver asks for. NVMe 1.4 5.23.</summary>
internal sealed class FormatCommand(ControllerParts parts) : IAdminCommand
{
    private const uint AllNamespaces = 0xFFFF_FFFF;
    private const uint CryptographicErase = 2;

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        int format = (int)(command.Dword10 & 0xF | (command.Dword10 >> 12 & 3) << 4);
        bool metadataOrProtection = (command.Dword10 >> 4 & 0x1F) != 0;
        uint erase = command.Dword10 >> 9 & 7;
        Namespace[] spaces = command.Nsid == AllNamespaces ? [.. parts.Namespaces.AllAttached]
            : parts.Namespaces.Attached(command.Nsid) is { } one ? [one] : [];
        if (spaces.Length == 0)
            return parts.Namespaces.Refusal(command.Nsid);
        if (metadataOrProtection || Array.Exists(spaces, space => format >= space.Formats.Count))
            return Status.InvalidFormat;
        if (erase >= CryptographicErase)
            return Status.InvalidField;
        if (Array.Exists(spaces, space => space.IsReadOnly))
            return Status.NamespaceWriteProtected;
        if (Array.Find(spaces, space => space.PathStatus != Status.Success) is { } lost)
            return lost.PathStatus;
        if (Array.Exists(spaces, space => space.IsReserved(writes: true)))
            return Status.ReservationConflict;
        return Format(spaces, format, command.Dword10, context);
    }

    private CommandOutcome Format(Namespace[] spaces, int format, uint dword10, CommandContext context)
    {
        context.Pass.Leave();
        foreach (Namespace space in spaces)
        {
            // removed meanwhile: then there is nothing to format
            if (!space.TryUse())
                return context.Reenter(parts.Namespaces.Refusal(space.Id));
            parts.History.AddFormatStart(space.Id, dword10);
            Status status = Status.WriteFault;
            try
            {
                Format(space, format);
                status = Status.Success;
            }
            finally
            {
                parts.History.AddFormatCompletion(space.Id, status);
                space.EndUse();
            }
        }
        return context.Reenter(Status.Success);
    }

    private void Format(Namespace space, int format)
    {
        bool changed;
        space.Shared.BeginFormat();
        try
        {
            // what was there goes even if blocks of another size leave a part of the disk out
            Wait.For(space.Disk.WriteZeroesAsync(0, space.Length, deallocate: true));
            parts.Flush(space);
            space.Uncorrectable.Clear(0, long.MaxValue);
            changed = space.Shared.SetFormat(format);
        }
        finally
        {
            space.Shared.EndFormat();
        }
        if (changed)
            space.Shared.Report();
    }
}
