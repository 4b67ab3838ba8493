using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>What both of them know about features.</summary>
internal sealed class FeatureCommands(ControllerParts parts)
{
    private const uint Save = 1u << 31;
    private const uint Changeable = 1 << 2;
    private const uint NamespaceSpecific = 1 << 1;
    private const int SelectCurrent = 0;
    private const int SelectSupported = 3;
    private const uint AllSensors = 0xF;
    private const int HostBehaviorLength = 512;
    private const uint DeallocatedError = 1 << 16; // DULBE

    private readonly ReservationFeatures _reservations = new(parts);

    private Features Features => parts.Features;

    private uint QueueCounts => (uint)(parts.Options.IoQueues - 1) * 0x0001_0001;

    public CommandOutcome Set(in Command command, CommandContext context, out uint result)
    {
        CommandOutcome outcome = Change(command, context, out result);
        if (outcome.IsCompleted && !outcome.HasFailed)
            parts.History.AddSetFeature(command);
        return outcome;
    }

    private CommandOutcome Change(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        FeatureId id = (FeatureId)(byte)command.Dword10;
        uint value = command.Dword11;
        if (!IsSupported(id))
            return Status.InvalidField;
        if ((command.Dword10 & Save) != 0)
            return Status.FeatureNotSaveable;
        if (ReservationFeatures.Has(id))
            return _reservations.Set(id, command, context);
        switch (id)
        {
            case FeatureId.NumberOfQueues:
                return SetNumberOfQueues(value, out result);
            case FeatureId.InterruptVectorConfiguration:
                if ((ushort)value >= parts.Interrupts.Vectors)
                    return Status.InvalidField;
                Features.SetCoalescingDisabled((ushort)value, (value & 1 << 16) != 0);
                return Status.Success;
            case FeatureId.TemperatureThreshold:
                return SetThreshold(value);
            case FeatureId.PowerManagement when (value & 0x1F) != 0: // there is one power state
            case FeatureId.ErrorRecovery when (value & DeallocatedError) != 0: // no namespace has it
                return Status.InvalidField;
            case FeatureId.Timestamp:
                return SetTimestamp(command, context);
            case FeatureId.KeepAliveTimer:
                parts.KeepAlive.Set(value);
                return Status.Success;
            case FeatureId.HostBehaviorSupport:
                return SetHostBehavior(command, context);
        }
        Features[id] = value & Features.MaskOf(id);
        if (id == FeatureId.VolatileWriteCache && !Features.WriteCacheEnabled)
            return FlushAll(context);
        RaiseTemperature();
        parts.RaiseLostWrites();
        return Status.Success;
    }

    public CommandOutcome Get(in Command command, CommandContext context, out uint result)
    {
        result = 0;
        FeatureId id = (FeatureId)(byte)command.Dword10;
        int select = (int)(command.Dword10 >> 8 & 7);
        if (!IsSupported(id) || select > SelectSupported)
            return Status.InvalidField;
        if (select == SelectSupported)
        {
            result = Changeable | (ReservationFeatures.IsOfNamespace(id) ? NamespaceSpecific : 0);
            return Status.Success;
        }
        // nothing is saved, so what was saved is what is there at first
        bool current = select == SelectCurrent;
        if (ReservationFeatures.Has(id))
            return _reservations.Get(id, command, context, current, out result);
        switch (id)
        {
            case FeatureId.NumberOfQueues:
                result = QueueCounts;
                return Status.Success;
            case FeatureId.InterruptVectorConfiguration:
                ushort vector = (ushort)command.Dword11;
                if (vector >= parts.Interrupts.Vectors)
                    return Status.InvalidField;
                result = vector | (current && Features.IsCoalescingDisabled(vector) ? 1u << 16 : 0);
                return Status.Success;
            case FeatureId.TemperatureThreshold:
                return GetThreshold(command.Dword11, current, out result);
            case FeatureId.Timestamp:
                ulong timestamp = current ? Features.Timestamp : 0;
                return context.Return(command, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in timestamp)));
            case FeatureId.KeepAliveTimer:
                result = current ? parts.KeepAlive.Milliseconds : 0;
                return Status.Success;
            case FeatureId.HostBehaviorSupport:
                return GetHostBehavior(command, context, current);
        }
        result = current ? Features[id] : Features.Default(id);
        return Status.Success;
    }

    private bool IsSupported(FeatureId id) => id switch
    {
        FeatureId.VolatileWriteCache => parts.OffersWriteCache,
        FeatureId.HostIdentifier or FeatureId.ReservationNotificationMask or FeatureId.ReservationPersistence => parts.Subsystem.IsShared,
        FeatureId.TemperatureThreshold or FeatureId.NumberOfQueues or FeatureId.InterruptVectorConfiguration or FeatureId.Timestamp
            or FeatureId.KeepAliveTimer or FeatureId.HostBehaviorSupport => true,
        _ => Features.IsPlain(id),
    };

    private Status SetNumberOfQueues(uint value, out uint result)
    {
        result = 0;
        if (parts.Queues.HasIoQueues)
            return Status.CommandSequenceError;
        if ((ushort)value == 0xFFFF || value >> 16 == 0xFFFF)
            return Status.InvalidField;
        result = QueueCounts;
        return Status.Success;
    }

    private Status SetThreshold(uint value)
    {
        uint sensor = value >> 16 & 0xF;
        if (sensor is not (0 or AllSensors) || (value >> 20 & 3) > 1)
            return Status.InvalidField;
        if ((value >> 20 & 3) == 0)
            Features[FeatureId.TemperatureThreshold] = value & 0xFFFF;
        else
            Features.UnderThreshold = (ushort)value;
        RaiseTemperature();
        return Status.Success;
    }

    private Status GetThreshold(uint which, bool current, out uint result)
    {
        result = 0;
        if ((which >> 16 & 0xF) != 0 || (which >> 20 & 3) > 1)
            return Status.InvalidField;
        if ((which >> 20 & 3) == 0)
            result = current ? Features[FeatureId.TemperatureThreshold] : Features.Default(FeatureId.TemperatureThreshold);
        else
            result = current ? Features.UnderThreshold : 0u;
        return Status.Success;
    }

    private Status SetTimestamp(in Command command, CommandContext context)
    {
        ulong timestamp = 0;
        Status status = context.Map(command, sizeof(ulong), isAdmin: true);
        if (status != Status.Success)
            return status;
        if (!context.Data.TryCopyTo(0, MemoryMarshal.AsBytes(new Span<ulong>(ref timestamp))))
            return Status.DataTransferError;
        parts.History.AddTimestamp();
        Features.Timestamp = timestamp;
        return Status.Success;
    }

    // there is nothing to retry later, so it changes nothing whether the driver could
    private Status SetHostBehavior(in Command command, CommandContext context)
    {
        Status status = context.Map(command, HostBehaviorLength, isAdmin: true);
        if (status != Status.Success)
            return status;
        Span<byte> behavior = stackalloc byte[HostBehaviorLength];
        if (!context.Data.TryCopyTo(0, behavior))
            return Status.DataTransferError;
        if (behavior[0] > 1)
            return Status.InvalidField;
        Features.RetriesAsTold = behavior[0] != 0;
        return Status.Success;
    }

    private CommandOutcome GetHostBehavior(in Command command, CommandContext context, bool current)
    {
        Span<byte> behavior = stackalloc byte[HostBehaviorLength];
        behavior.Clear();
        behavior[0] = (byte)(current && Features.RetriesAsTold ? 1 : 0); // ACRE
        return context.Return(command, behavior);
    }

    // what is in the cache when it is switched off must not be lost any more
    private CommandOutcome FlushAll(CommandContext context)
    {
        context.Pass.Leave();
        foreach (Namespace space in parts.Namespaces.All)
            parts.Flush(space);
        return context.Reenter(Status.Success);
    }

    private void RaiseTemperature()
    {
        if (Features.ReportsTemperature && Features.IsTemperatureOut)
            parts.Events.Raise(AsyncEvent.TemperatureThreshold);
    }
}
