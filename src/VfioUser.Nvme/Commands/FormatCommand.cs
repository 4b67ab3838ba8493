namespace VfioUser.Nvme;

/// <summary>Format NVM: makes all blocks zero; there is one format. NVMe 1.4 5.23.</summary>
internal sealed class FormatCommand(ControllerParts parts) : IAdminCommand
{
    private const uint AllNamespaces = 0xFFFF_FFFF;
    private const uint CryptographicErase = 2;

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        uint format = command.Dword10 & 0xF;
        bool metadataOrProtection = (command.Dword10 >> 4 & 0x1F) != 0;
        uint erase = command.Dword10 >> 9 & 7;
        Namespace[] spaces = command.Nsid == AllNamespaces ? [.. parts.Namespaces]
            : parts.Namespace(command.Nsid) is { } one ? [one] : [];
        if (spaces.Length == 0)
            return Status.InvalidNamespace;
        if (format != 0 || metadataOrProtection)
            return Status.InvalidFormat;
        if (erase >= CryptographicErase)
            return Status.InvalidField;
        if (Array.Exists(spaces, space => space.IsReadOnly))
            return Status.NamespaceWriteProtected;
        return Format(spaces, context);
    }

    private CommandOutcome Format(Namespace[] spaces, CommandContext context)
    {
        context.Pass.Leave();
        foreach (Namespace space in spaces)
        {
            space.BeginFormat();
            try
            {
                Wait.For(space.Disk.WriteZeroesAsync(0, space.Length, deallocate: true));
                parts.Flush(space);
            }
            finally
            {
                space.EndFormat();
            }
        }
        return context.Reenter(Status.Success);
    }
}
