using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>Features of reservations: Host Identifier, Reservation Notification Mask, Reservation Persistence. NVMe 2.0 5.27.1.25 to 27.</summary>
internal sealed class ReservationFeatures(ControllerParts parts)
{
    private const uint AllNamespaces = 0xFFFF_FFFF;
    private const uint AllNotices = 0b1110;
    private const uint IsExtended = 1;
    private const uint IsPersistent = 1;

    public static bool Has(FeatureId id) => id == FeatureId.HostIdentifier || IsOfNamespace(id);

    /// <summary>Whether each namespace has it for itself.</summary>
    public static bool IsOfNamespace(FeatureId id) => id is FeatureId.ReservationNotificationMask or FeatureId.ReservationPersistence;

    public CommandOutcome Set(FeatureId id, in Command command, CommandContext context)
    {
        if (id == FeatureId.HostIdentifier)
            return SetHost(command, context);
        Namespace[] spaces = command.Nsid == AllNamespaces ? [.. parts.Namespaces.AllAttached]
            : parts.Namespaces.Attached(command.Nsid) is { } one ? [one] : [];
        if (spaces.Length == 0)
            return parts.Namespaces.Refusal(command.Nsid);
        if (id == FeatureId.ReservationPersistence)
            return SetPersistence(spaces, (command.Dword11 & IsPersistent) != 0, context);
        foreach (Namespace space in spaces)
            space.NoticeMask = command.Dword11 & AllNotices;
        return Status.Success;
    }

    /// <summary>Nothing is saved: what is not the current value is 0.</summary>
    public CommandOutcome Get(FeatureId id, in Command command, CommandContext context, bool current, out uint result)
    {
        result = 0;
        if (id == FeatureId.HostIdentifier)
            return GetHost(command, context, current);
        if (parts.Namespaces.Attached(command.Nsid) is not { } space)
            return parts.Namespaces.Refusal(command.Nsid);
        if (current)
            result = id == FeatureId.ReservationNotificationMask ? space.NoticeMask : space.Shared.Reservations.State.IsPersistent ? IsPersistent : 0;
        return Status.Success;
    }

    private Status SetHost(in Command command, CommandContext context)
    {
        bool extended = (command.Dword11 & IsExtended) != 0;
        Status status = context.Map(command, HostIdentifier.LengthOf(extended), isAdmin: true);
        if (status != Status.Success)
            return status;
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (!context.Data.TryCopyTo(0, bytes[..HostIdentifier.LengthOf(extended)]))
            return Status.DataTransferError;
        UInt128 value = BinaryPrimitives.ReadUInt128LittleEndian(bytes);
        if (value == 0)
            return Status.InvalidField; // it would be no host's: reservations need one
        return parts.Subsystem.TrySetHost(parts.Namespaces, new HostIdentifier(value, extended)) ? Status.Success : Status.HostIdInconsistentFormat;
    }

    private Status GetHost(in Command command, CommandContext context, bool current)
    {
        bool extended = (command.Dword11 & IsExtended) != 0;
        HostIdentifier? host = current ? parts.Namespaces.Host : null;
        if (host is not null && host.IsExtended != extended)
            return Status.HostIdInconsistentFormat;
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128LittleEndian(bytes, host?.Value ?? 0);
        return context.Return(command, bytes[..HostIdentifier.LengthOf(extended)]);
    }

    // all of them or, if one cannot be, none
    private CommandOutcome SetPersistence(Namespace[] spaces, bool persistent, CommandContext context)
    {
        if (persistent && Array.Exists(spaces, space => !space.Shared.Reservations.CanPersist))
            return Status.InvalidField;
        context.Pass.Leave(); // a file is written
        try
        {
            foreach (Namespace space in spaces)
                space.Shared.Reservations.Change(state => state, persistent);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.ReservationsNotKept(parts.Logger(), e.Message);
            return context.Reenter(Status.InternalError);
        }
        return context.Reenter(Status.Success);
    }
}
