using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Nvme;

/// <summary>Get Log Page. NVMe 1.4 5.14.</summary>
internal sealed class GetLogPageCommand(ControllerParts parts) : IAdminCommand
{
    private const int LargestPage = 4096;
    private const uint AllNamespaces = 0xFFFF_FFFF;
    private const uint RetainEvent = 1 << 15;

    public CommandOutcome Execute(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        LogPageId id = (LogPageId)(byte)command.Dword10;
        long length = ((long)(command.Dword10 >> 16 | (command.Dword11 & 0xFFFF) << 16) + 1) * sizeof(uint);
        ulong offset = command.Dword12 | (ulong)command.Dword13 << 32;
        if (id == LogPageId.PersistentEvents)
            return ReturnHistory(command, context, length, offset);
        if (id == LogPageId.AsymmetricNamespaceAccess)
            return ReturnAna(command, context, length, offset);
        if (id == LogPageId.ReservationNotification)
            return ReturnNotice(command, context, length, offset);
        int size = SizeOf(id);
        if (size == 0)
            return Status.InvalidLogPage;
        if (offset % sizeof(uint) != 0 || offset > (ulong)size || length > CommandContext.MaxTransfer)
            return Status.InvalidField;
        // it is the controller's; none is of a single namespace
        if (id == LogPageId.Smart && command.Nsid is not (0 or AllNamespaces))
            return Status.InvalidField;
        Status status = context.Map(command, (int)length, isAdmin: true);
        if (status != Status.Success)
            return status;
        bool retains = (command.Dword10 & RetainEvent) != 0;
        // before the page is made: what happens from here on is told again
        if (!retains)
            parts.Events.LogRead(id);
        uint[] changed = id != LogPageId.ChangedNamespaces ? [] : retains ? parts.Namespaces.ChangedIds : parts.Namespaces.TakeChangedIds();
        Span<byte> page = stackalloc byte[LargestPage];
        page.Clear();
        Write(id, page, changed);
        status = Return(context, (int)length, page[(int)offset..size]);
        if (status != Status.Success)
            parts.Namespaces.ReturnChangedIds(changed);
        return status;
    }

    // What is read is the log as it was when the driver established its context. NVMe 2.0 figure 221
    private Status ReturnHistory(in Command command, CommandContext context, long length, ulong offset)
    {
        const uint EstablishAndRead = 1, Release = 2; // and 0 to read
        uint action = command.Dword10 >> 8 & 0x7F;
        if (action > Release || offset % sizeof(uint) != 0 || length > CommandContext.MaxTransfer)
            return Status.InvalidField;
        if (action == Release)
        {
            parts.History.Release();
            return Status.Success;
        }
        if ((action == EstablishAndRead) == (parts.History.Context is not null))
            return Status.CommandSequenceError;
        if (action == EstablishAndRead)
            parts.History.Establish();
        ReadOnlySpan<byte> log = parts.History.Context;
        Status status = offset > (ulong)log.Length ? Status.InvalidField : context.Map(command, (int)length, isAdmin: true);
        if (status == Status.Success)
            status = Return(context, (int)length, log[(int)offset..]);
        if (status != Status.Success && action == EstablishAndRead)
            parts.History.Release(); // the driver has none
        return status;
    }

    private Status ReturnAna(in Command command, CommandContext context, long length, ulong offset)
    {
        const uint GroupsOnly = 1 << 8;
        if (!parts.Subsystem.IsShared)
            return Status.InvalidLogPage;
        if (offset % sizeof(uint) != 0 || length > CommandContext.MaxTransfer)
            return Status.InvalidField;
        Status status = context.Map(command, (int)length, isAdmin: true);
        if (status != Status.Success)
            return status;
        if ((command.Dword10 & RetainEvent) == 0)
            parts.Events.LogRead(LogPageId.AsymmetricNamespaceAccess);
        ReadOnlySpan<byte> log = parts.Namespaces.Ana.Compose(parts.Namespaces.AllAttached, (command.Dword10 & GroupsOnly) != 0);
        return offset > (ulong)log.Length ? Status.InvalidField : Return(context, (int)length, log[(int)offset..]);
    }

    // Each read takes the oldest notice. NVMe 2.0 figure 234
    private Status ReturnNotice(in Command command, CommandContext context, long length, ulong offset)
    {
        const int Size = 64;
        if (!parts.Subsystem.IsShared)
            return Status.InvalidLogPage;
        if (offset % sizeof(uint) != 0 || offset > Size || length > CommandContext.MaxTransfer)
            return Status.InvalidField;
        Status status = context.Map(command, (int)length, isAdmin: true);
        if (status != Status.Success)
            return status;
        Span<byte> page = stackalloc byte[Size];
        page.Clear();
        SavedNotice? oldest = parts.Namespaces.Notices.Peek(out int more);
        if (oldest is { } notice)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(page, notice.Count);
            page[8] = (byte)notice.Kind;
            page[9] = (byte)more;
            BinaryPrimitives.WriteUInt32LittleEndian(page[12..], notice.Nsid);
        }
        status = Return(context, (int)length, page[(int)offset..]);
        if (status != Status.Success)
            return status;
        if (oldest is { } read && offset + (ulong)length >= Size)
            parts.Namespaces.Notices.Remove(read);
        if ((command.Dword10 & RetainEvent) == 0)
        {
            parts.Events.LogRead(LogPageId.ReservationNotification);
            if (!parts.Namespaces.Notices.IsEmpty)
                parts.ReservationNoticed(); // of the others, for which it was not told
        }
        return status;
    }

    // behind the end of a page there is nothing
    private static Status Return(CommandContext context, int length, ReadOnlySpan<byte> log)
    {
        Span<byte> data = context.Bounce(length).Span;
        data.Clear();
        log[..Math.Min(log.Length, length)].CopyTo(data);
        return context.Data.TryCopyFrom(0, data) ? Status.Success : Status.DataTransferError;
    }

    // 0 if there is no page of this number.
    private static int SizeOf(LogPageId id) => id switch
    {
        LogPageId.Error => ErrorLog.Entries * ErrorLogEntry.EntrySize,
        LogPageId.Smart or LogPageId.FirmwareSlot => 512,
        LogPageId.DeviceSelfTest => SelfTests.PageSize,
        LogPageId.ChangedNamespaces or LogPageId.CommandsSupportedAndEffects => 4096,
        _ => 0,
    };

    private void Write(LogPageId id, Span<byte> page, ReadOnlySpan<uint> changed)
    {
        switch (id)
        {
            case LogPageId.Error:
                parts.Errors.Write(page);
                break;
            case LogPageId.Smart:
                SmartLog.Write(parts, page);
                break;
            case LogPageId.FirmwareSlot:
                WriteFirmwareSlot(page);
                break;
            case LogPageId.ChangedNamespaces: // as many as there is room for. NVMe 1.4 5.14.1.4
                MemoryMarshal.AsBytes(changed).CopyTo(page);
                break;
            case LogPageId.CommandsSupportedAndEffects:
                WriteEffects(page);
                break;
            case LogPageId.DeviceSelfTest:
                parts.SelfTests.Write(page);
                break;
        }
    }

    // NVMe 1.4 figure 197
    private static void WriteFirmwareSlot(Span<byte> page)
    {
        page[0] = 1; // slot 1 is active
        Encoding.ASCII.GetBytes(PersistentEventLog.FirmwareRevision.PadRight(8), page[8..]);
    }

    // NVMe 1.4 figure 198: admin commands first, I/O commands from byte 1024 on
    private void WriteEffects(Span<byte> page)
    {
        const uint Supported = 1, ContentChange = 1 << 1, CapabilityChange = 1 << 2, InventoryChange = 1 << 3;
        foreach (AdminOpcode opcode in Enum.GetValues<AdminOpcode>())
        {
            bool absent = opcode is AdminOpcode.FirmwareCommit or AdminOpcode.FirmwareDownload
                || (opcode == AdminOpcode.DoorbellBufferConfig && !parts.OffersShadowDoorbells);
            // while a namespace is formatted it had better be left alone
            const uint OneNamespaceAtATime = 1 << 16;
            uint effects = opcode switch
            {
                AdminOpcode.FormatNvm => Supported | ContentChange | CapabilityChange | OneNamespaceAtATime,
                AdminOpcode.NamespaceAttachment or AdminOpcode.NamespaceManagement => Supported | InventoryChange,
                _ => Supported,
            };
            BinaryPrimitives.WriteUInt32LittleEndian(page[((int)opcode * sizeof(uint))..], absent ? 0 : effects);
        }
        foreach (IoOpcode opcode in Enum.GetValues<IoOpcode>())
        {
            uint effects = opcode is IoOpcode.Write or IoOpcode.WriteUncorrectable or IoOpcode.WriteZeroes or IoOpcode.DatasetManagement or IoOpcode.Copy ? Supported | ContentChange : Supported;
            bool absent = IoCommands.IsOfReservations(opcode) && !parts.Subsystem.IsShared;
            BinaryPrimitives.WriteUInt32LittleEndian(page[(1024 + (int)opcode * sizeof(uint))..], absent ? 0 : effects);
        }
    }
}
