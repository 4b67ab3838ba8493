using VfioUser.Protocol;

namespace VfioUser.Tool.Checking.Rules;

/// <summary>Features, all of migration. The device's state is read, not changed.</summary>
internal static class FeatureRules
{
    private const string Heading = "VFIO_USER_DEVICE_FEATURE";

    public static Topic Topic { get; } = new("Features",
    [
        new("feature-probe", Heading, "The reply to a probe is its request.", Probe),
        new("feature-unknown", Heading, "An unknown feature is refused.", Unknown),
        new("feature-get-and-set", Heading, "Get and set together are for a probe only.", Both),
        new("migration", "VFIO_DEVICE_FEATURE_MIGRATION", "A device that migrates can do so stopped.", Migration),
        new("migration-state", "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", "A device that migrates runs when its client connects.", State),
        new("migration-data", "VFIO_USER_MIG_DATA_READ", "A running device has no migration data.", Data),
    ]);

    private static Finding Probe(Subject subject)
    {
        const DeviceFeatureFlags Flags = DeviceFeatureFlags.Probe | DeviceFeatureFlags.Get | (DeviceFeatureFlags)DeviceFeatureId.Migration;
        using Conversation session = subject.Open();
        Answer answer = session.Ask(Command.DeviceFeature, new DeviceFeature(DeviceFeature.WireSize, Flags));
        if (answer.IsError)
        {
            session.StaysInSync();
            return Finding.NotServed($"the device does not migrate: the request was {answer.Refusal}");
        }
        DeviceFeature reply = answer.AsAll<DeviceFeature>();
        return reply.Flags == Flags ? Finding.Passed : throw new BrokenRuleException($"flags 0x{(uint)Flags:x} are answered with 0x{(uint)reply.Flags:x}");
    }

    private static Finding Unknown(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.DeviceFeature, new DeviceFeature(4096, DeviceFeatureFlags.Get | (DeviceFeatureFlags)0xFFFF), "feature 65535");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Both(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.DeviceFeature, new DeviceFeature(4096, DeviceFeatureFlags.Get | DeviceFeatureFlags.Set | (DeviceFeatureFlags)DeviceFeatureId.Migration), "get and set");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Finding Migration(Subject subject)
    {
        using Conversation session = subject.Open();
        Answer answer = Get(session, DeviceFeatureId.Migration);
        if (answer.IsError)
            return Finding.NotServed($"the device does not migrate: the request was {answer.Refusal}");
        if (answer.Payload.Length != DeviceFeature.WireSize + sizeof(ulong))
            throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload");
        ulong flags = WireFormat.Read<ulong>(answer.Payload.AsSpan(DeviceFeature.WireSize));
        return (flags & 1) != 0 ? Finding.Passed : throw new BrokenRuleException($"flags 0x{flags:x} have no VFIO_MIGRATION_STOP_COPY");
    }

    private static Finding State(Subject subject)
    {
        using Conversation session = subject.Open();
        if (Get(session, DeviceFeatureId.Migration).IsError)
            return Finding.NotServed("the device does not migrate");
        Answer answer = Get(session, DeviceFeatureId.MigDeviceState);
        answer.As<DeviceFeature>();
        if (!WireFormat.TryRead(answer.Payload.AsSpan(DeviceFeature.WireSize), out MigrationDeviceState state))
            throw new BrokenRuleException($"the reply has {answer.Payload.Length} bytes of payload");
        return state.State == MigrationState.Running ? Finding.Passed : Finding.Warning($"it is in state {state.State}");
    }

    private static Finding Data(Subject subject)
    {
        using Conversation session = subject.Open();
        session.Refused(Command.MigDataRead, new MigrationData(4096, 1024), "a device that runs");
        session.StaysInSync();
        return Finding.Passed;
    }

    private static Answer Get(Conversation session, DeviceFeatureId feature) =>
        session.Ask(Command.DeviceFeature, new DeviceFeature(4096, DeviceFeatureFlags.Get | (DeviceFeatureFlags)feature));
}
