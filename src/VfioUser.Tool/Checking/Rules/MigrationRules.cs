using VfioUser.Protocol;
using VfioUser.Tool.Regions;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Migration. The device is stopped for it, and runs again afterwards.</summary>
internal static class MigrationRules
{
    private const string StateHeading = "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE";
    private const DeviceFeatureId DataSize = DeviceFeatureId.MigDataSize;
    private const ulong PreCopyFlag = 4;
    private const ulong Address = 0x40_0000_0000;
    private const ulong Page = 4096;
    private const uint Asked = 1 << 16;

    public static Topic Topic { get; } = new("Migration",
    [
        new("migration-stopped", StateHeading, "A stopped device still accepts maps, unmaps and SET_IRQS.", Stopped),
        new("migration-data-length", "VFIO_USER_MIG_DATA_READ", "The reply has as many bytes of data as were requested, at the end of the stream as well.", DataLength),
        new("migration-data-size", "linux/vfio.h, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE", "The device estimates how much data a migration transfers.", Size),
        new("migration-reset", "VFIO_USER_DEVICE_RESET", "A reset during pre-copy ends it or continues it.", ResetInPreCopy),
    ])
    { NeedsDevice = true };

    private static Finding Stopped(Subject subject)
    {
        using SharedMemory memory = SharedMemory.Create(Page);
        using Conversation session = subject.Open();
        if (Flags(session) is null)
            return NoMigration;
        Set(session, MigrationState.Stop);
        List<string> refused = [];
        foreach ((string what, Answer answer) in (ReadOnlySpan<(string, Answer)>)
        [
            ("DmaMap", session.Ask(Command.DmaMap, Bytes.Of(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, Address, Page)), memory.File)),
            ("DmaUnmap", session.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, Address, Page))),
            ("RegionRead of config", session.Ask(Command.RegionRead, new RegionAccess(0, RegionName.Config, sizeof(uint)))),
        ])
        {
            if (answer.IsError)
                refused.Add(what);
        }
        foreach (IrqInfo irq in subject.Device.Irqs.Where(irq => irq.Count > 0 && (irq.Flags & IrqInfoFlags.EventFd) != 0).Take(1))
        {
            if (session.Ask(Command.DeviceSetIrqs, new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, irq.Index, 0, 0)).IsError)
                refused.Add("DeviceSetIrqs");
        }
        Set(session, MigrationState.Running);
        return Finding.WarnIf(refused.Count > 0,
            $"{string.Join(", ", refused)} {(refused.Count == 1 ? "is" : "are")} refused in STOP; QEMU stops devices whenever the machine is paused, and exits if memory is hot-plugged meanwhile");
    }

    private static Finding DataLength(Subject subject)
    {
        using Conversation session = subject.Open();
        if (Flags(session) is null)
            return NoMigration;
        Set(session, MigrationState.Stop);
        Set(session, MigrationState.StopCopy);
        Finding finding = Finding.Passed;
        for (uint size = Asked; size == Asked && finding.Verdict == Verdict.Passed;)
        {
            Answer answer = session.Ask(Command.MigDataRead, new MigrationData(MigrationData.WireSize + Asked, Asked));
            MigrationData done = answer.As<MigrationData>();
            size = done.Size;
            long data = answer.Payload.Length - MigrationData.WireSize;
            if (size > Asked || data < size)
                throw new BrokenRuleException($"{Asked} bytes were requested, the reply's size is {size}, and it has {data}");
            finding = Finding.WarnIf(data != Asked, $"{Asked} bytes were requested, and {data} received; libvfio-user's client takes that for a lost connection");
        }
        Set(session, MigrationState.Stop);
        Set(session, MigrationState.Running);
        return finding;
    }

    private static Finding Size(Subject subject)
    {
        using Conversation session = subject.Open();
        if (Flags(session) is null)
            return NoMigration;
        Answer answer = Get(session, DataSize);
        session.StaysInSync();
        if (answer.IsError)
            return Finding.NotServed($"it is {answer.Refusal}; QEMU then assumes 100 GiB");
        return answer.Payload.Length == DeviceFeature.WireSize + sizeof(ulong) ? Finding.Passed : throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload");
    }

    private static Finding ResetInPreCopy(Subject subject)
    {
        if ((subject.Device.Info.Flags & DeviceFlags.Reset) == 0)
            return Finding.NotServed("VFIO_DEVICE_FLAGS_RESET is not set");
        using Conversation session = subject.Open();
        if (Flags(session) is not { } flags || (flags & PreCopyFlag) == 0)
            return Finding.NotServed("the device has no pre-copy");
        Set(session, MigrationState.PreCopy);
        Answer reset = session.Ask(Command.DeviceReset, []);
        Answer answer = Get(session, DeviceFeatureId.MigDeviceState);
        answer.As<DeviceFeature>();
        if (!WireFormat.TryRead(answer.Payload.AsSpan(DeviceFeature.WireSize), out MigrationDeviceState state))
            throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload");
        if (state.State != MigrationState.Running)
            Set(session, MigrationState.Running);
        if (reset.IsError)
            return Finding.Warning($"it is {reset.Refusal}; a guest that reboots during pre-copy is not reset");
        return state.State is MigrationState.Running or MigrationState.PreCopy
            ? new Finding(Verdict.Passed, $"its state afterwards is {state.State}")
            : throw new BrokenRuleException($"its state afterwards is {state.State}");
    }

    private static ulong? Flags(Conversation session)
    {
        Answer answer = Get(session, DeviceFeatureId.Migration);
        return answer.IsError || !WireFormat.TryRead(answer.Payload.AsSpan(DeviceFeature.WireSize), out ulong flags) ? null : flags;
    }

    private static void Set(Conversation session, MigrationState state)
    {
        Answer answer = session.Ask(Command.DeviceFeature,
        [
            .. Bytes.Of(new DeviceFeature(DeviceFeature.WireSize + MigrationDeviceState.WireSize, DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.MigDeviceState)),
            .. Bytes.Of(new MigrationDeviceState(state, 0)),
        ]);
        if (answer.IsError)
            throw new BrokenRuleException($"the transition to {state} is {answer.Refusal}") { Heading = StateHeading };
    }

    private static Answer Get(Conversation session, DeviceFeatureId feature) =>
        session.Ask(Command.DeviceFeature, new DeviceFeature(4096, DeviceFeatureFlags.Get | (DeviceFeatureFlags)feature));

    private static Finding NoMigration => Finding.NotServed("the device does not migrate");
}
