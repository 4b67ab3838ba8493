using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Who looks for the reason of an EINVAL finds it in the log.</summary>
public sealed class RefusalReasonTests
{
    private const int Refused = 10;

    public static TheoryData<Command, byte[], string> Commands => new()
    {
        { (Command)77, [], "there is no command 77" },
        { Command.DeviceGetInfo, [1], "the payload has 1 bytes, fewer than the structure of 16" },
        { Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(8, 0, 0, 0)), "argsz 8 is less than 16" },
        { Command.DeviceSetIrqs, Irqs(IrqType.MsiX, 5000, 5), "count 5 from start 5000 exceeds the " },
        { Command.DeviceSetIrqs, Irqs(IrqType.MsiX, 1, 0), "count 0 with start 1 and flags 0x21 has no meaning" },
        { Command.RegionRead, RawClient.Bytes(new RegionAccess(0x2000, 77, 4)), "the device has no region 77" },
        { Command.RegionRead, RawClient.Bytes(new RegionAccess(ulong.MaxValue, (uint)RegionIndex.Config, 4)), "4 bytes at 0xffffffffffffffff do not lie in region 7" },
        { Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1), "count 4 does not match the 1 bytes of data" },
        { Command.DmaMap, RawClient.Bytes(new DmaMap(DmaMap.WireSize, 0, 0, 0x1000, 0)), "the region at 0x1000 is empty" },
        { Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(DmaUnmap.WireSize, 0, 0x1000, 0)), "0x0 bytes at 0x1000 are not a valid range" },
        { Command.MigDataRead, RawClient.Bytes(new MigrationData(8, 0)), "the device cannot be migrated" },
        { Command.Version, [], "the version is negotiated already" },
    };

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_refusal_is_logged_with_its_reason(Command command, byte[] payload, string reason)
    {
        using Served served = Served.Start();
        using (RawClient client = served.Attach())
            client.Ask(command, payload).Header.Error.Should().Be((uint)Errno.EINVAL);

        served.Log.Entries.Should().ContainSingle(entry => entry.Id == Refused).Which.Text.Should().Contain("refused with EINVAL: " + reason);
    }

    private static byte[] Irqs(IrqType type, uint start, uint count) =>
        RawClient.Bytes(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionTrigger, (uint)type, start, count));
}
