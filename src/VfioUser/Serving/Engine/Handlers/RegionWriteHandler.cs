using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Spec: VFIO_USER_REGION_WRITE.</summary>
internal sealed class RegionWriteHandler : CommandHandler
{
    public override DeviceCode CodeOf(PciDevice device, in ReceivedMessage message) => WireFormat.TryRead(message.Payload, out RegionAccess access)
        ? DeviceCode.At(device, DeviceCallback.RegionWrite, access.Region, (long)access.Offset, message.Payload[RegionAccess.WireSize..])
        : DeviceCallback.RegionWrite;

    public override CommandOutcome Handle(Session session, in ReceivedMessage message)
    {
        if (!TryRead(message, out RegionAccess access, out Refusal refusal))
            return refusal;
        ReadOnlySpan<byte> data = message.Payload[RegionAccess.WireSize..];
        if (access.Count > (uint)session.Limits.MaxTransferToReceive)
            return RegionBounds.TooMany(access, session.Limits.MaxTransferToReceive);
        if (data.IsEmpty && session.LargeWrites.Take(access))
        {
            session.Device.RegionAt(access.Region)!.Written((long)access.Offset, (int)access.Count);
            return Answer(session, message, access);
        }
        if (access.Count != data.Length)
            return Refusal.Invalid("count {0} does not match the {1} bytes of data", access.Count, (ulong)data.Length);
        if (!CanWrite(session.Device, access, out Region? region))
            return Explain(session.Device, access);
        if (region is null && Resets(session.Device, access, data))
            return CommandOutcome.NeedsQuiesce(QuiesceReason.Reset);
        Write(session.Device, region, access, data);
        return Answer(session, message, access);
    }

    // the write that starts a function level reset
    public override CommandOutcome Apply(Session session, in ReceivedMessage message, int position)
    {
        RegionAccess access = WireFormat.Read<RegionAccess>(message.Payload);
        Write(session.Device, null, access, message.Payload[RegionAccess.WireSize..]);
        return Answer(session, message, access);
    }

    public override void Refuse(Session session, in ReceivedMessage message, in Refusal refusal)
    {
        _ = WireFormat.TryRead(message.Payload, out RegionAccess access);
        Refuse(session, message, refusal, access with { Count = 0 });
    }

    /// <summary>Whether the access can be carried out. Outputs the region, or null for configuration space.</summary>
    public static bool CanWrite(PciDevice device, in RegionAccess access, out Region? region) =>
        RegionBounds.Contains(device, access, write: true, out region) && region is not { IsWritable: false };

    /// <summary>What is wrong with an access for which <see cref="CanWrite"/> is false.</summary>
    public static Refusal Explain(PciDevice device, in RegionAccess access) => RegionBounds.Contains(device, access, write: true, out _)
        ? Refusal.Invalid("region {0} is read-only", access.Region)
        : RegionBounds.Explain(device, access);

    /// <summary>Whether a write to configuration space starts a function level reset, which requires a quiesced device.</summary>
    public static bool Resets(PciDevice device, in RegionAccess access, ReadOnlySpan<byte> data) =>
        device.Config.PciExpress?.AsksForReset((int)access.Offset, data) == true;

    /// <summary>Carries out an access that passed <see cref="CanWrite"/>.</summary>
    public static void Write(PciDevice device, Region? region, in RegionAccess access, ReadOnlySpan<byte> data)
    {
        if (region is null)
            device.Config.GuestWrite((int)access.Offset, data);
        else
            region.GuestWrite((long)access.Offset, data);
    }

    private static CommandOutcome Answer(Session session, in ReceivedMessage message, in RegionAccess access) =>
        message.Header.NoReply ? CommandOutcome.Replied : Reply(session, message, access);
}
