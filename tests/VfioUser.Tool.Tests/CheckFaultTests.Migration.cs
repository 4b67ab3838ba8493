using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class CheckFaultTests
{
    private static readonly Capabilities LargeBitmaps = new() { Migration = new MigrationCapability { PageSize = 4096, MaxBitmapSize = 256 << 20 } };

    [Fact]
    public void A_stopped_device_that_takes_no_memory_is_a_warning() => Warns("migration-stopped", "DmaMap, DmaUnmap are refused in STOP", (header, payload) =>
        header.Command == Command.DmaMap ? FakeServer.Refuse(header) : Migrate(header, payload));

    [Fact]
    public void Migration_data_shorter_than_requested_is_a_warning() => Warns("migration-data-length", "65536 bytes were requested, and 3 received", (header, payload) =>
        header.Command == Command.MigDataRead ? FakeServer.Reply(header, [.. FakeServer.Bytes(new MigrationData(11, 3)), 1, 2, 3]) : Migrate(header, payload));

    [Fact]
    public void Memory_without_a_descriptor_and_without_a_report_is_a_warning() =>
        Warns("dirty-without-descriptor", "it is refused with EINVAL; QEMU requests", (header, payload) => Migrate(header, payload));

    [Fact]
    public void A_reply_with_the_data_size_that_is_too_long_is_a_failure() => Breaks("migration-data-size", "the reply has 20 bytes of payload", (header, payload) =>
        IsGet(header, payload, DeviceFeatureId.MigDataSize) ? FakeServer.Reply(header, new byte[DeviceFeature.WireSize + 12]) : Migrate(header, payload));

    [Theory]
    [InlineData(MigrationState.Stop)]
    [InlineData(MigrationState.Error)]
    public void A_reset_during_pre_copy_after_which_the_device_does_not_run_is_a_failure(MigrationState state) => Breaks(PreCopyServer(Errno.None, state), "migration-reset", $"its state afterwards is {state}");

    [Theory]
    [InlineData(MigrationState.Running)]
    [InlineData(MigrationState.PreCopy)]
    public void A_reset_during_pre_copy_after_which_the_device_runs_passes(MigrationState state)
    {
        using FakeServer server = PreCopyServer(Errno.None, state);

        server.Check("--rule", "migration-reset").Out.Should().Contain("ok   migration-reset").And.Contain($"its state afterwards is {state}");
    }

    [Fact]
    public void A_reset_during_pre_copy_that_is_refused_is_a_warning()
    {
        using FakeServer server = PreCopyServer(Errno.EBUSY, MigrationState.PreCopy);

        Warns(server, "migration-reset", "it is refused with EBUSY; a guest that reboots during pre-copy is not reset");
    }

    [Theory]
    [InlineData("dirty-large", "a report of more than max_data_xfer_size is what max_bitmap_size is for")]
    [InlineData("dirty-unmap-large", "an unmap cannot be done in parts")]
    public void A_refused_bitmap_within_max_bitmap_size_is_a_warning(string rule, string why)
    {
        using FakeServer server = new((header, payload) =>
            header.Command == Command.DmaUnmap && payload.Length > DmaUnmap.WireSize ? FakeServer.Refuse(header) : Migrate(header, payload))
        {
            Capabilities = LargeBitmaps,
        };

        Warns(server, rule, $"it is refused with EINVAL; {why}");
    }

    [Fact]
    public void A_large_report_that_is_cut_off_is_a_failure()
    {
        using FakeServer server = new((header, payload) => IsGet(header, payload, DeviceFeatureId.DmaLoggingReport)
            ? FakeServer.Reply(header, [.. payload, .. new byte[1 << 20]])
            : Migrate(header, payload))
        {
            Capabilities = LargeBitmaps,
        };

        Breaks(server, "dirty-large", "the reply has 1048608 bytes of payload, not 2097184");
    }

    [Fact]
    public void An_unmap_without_the_requested_bitmap_is_a_warning() => Warns("dirty-unmap", "it is done, but the reply has no bitmap", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, payload.AsSpan(0, DmaUnmap.WireSize)) : Migrate(header, payload));

    [Fact]
    public void An_unmap_with_half_the_requested_bitmap_is_a_failure() => Breaks("dirty-unmap", "the reply has 44 bytes of payload, not 48", (header, payload) =>
        header.Command == Command.DmaUnmap ? FakeServer.Reply(header, new byte[44]) : Migrate(header, payload));

    // a device that can be stopped, and whose dirty pages are logged and never reported
    private static byte[]? Migrate(in MessageHeader header, byte[] payload)
    {
        if (header.Command != Command.DeviceFeature || !WireFormat.TryRead(payload, out DeviceFeature request))
            return null;
        bool sets = (request.Flags & DeviceFeatureFlags.Set) != 0;
        return (DeviceFeatureId)((uint)request.Flags & 0xFFFF) switch
        {
            DeviceFeatureId.Migration when !sets => FakeServer.Reply(header, [.. payload, .. FakeServer.Bytes(1ul)]),
            DeviceFeatureId.MigDeviceState or DeviceFeatureId.DmaLoggingStart or DeviceFeatureId.DmaLoggingStop when sets => FakeServer.Reply(header, payload),
            _ => null,
        };
    }

    private static bool IsGet(in MessageHeader header, byte[] payload, DeviceFeatureId feature) => header.Command == Command.DeviceFeature
        && WireFormat.TryRead(payload, out DeviceFeature request) && (request.Flags & DeviceFeatureFlags.Get) != 0
        && (DeviceFeatureId)((uint)request.Flags & 0xFFFF) == feature;

    // a device with pre-copy that answers a reset so, and is in that state then
    private static FakeServer PreCopyServer(Errno reset, MigrationState after) => new((header, payload) =>
        header.Command == Command.DeviceReset ? reset == Errno.None ? FakeServer.Reply(header, []) : FakeServer.Refuse(header, errno: reset)
        : IsGet(header, payload, DeviceFeatureId.Migration) ? FakeServer.Reply(header, [.. payload, .. FakeServer.Bytes(5ul)])
        : IsGet(header, payload, DeviceFeatureId.MigDeviceState) ? FakeServer.Reply(header, [.. payload, .. FakeServer.Bytes(new MigrationDeviceState(after, 0))])
        : Migrate(header, payload))
    {
        Flags = DeviceFlags.Pci | DeviceFlags.Reset,
    };

    private static void Breaks(FakeServer faulty, string rule, string why)
    {
        using FakeServer server = faulty;

        Fails(server, rule, why);
    }
}
