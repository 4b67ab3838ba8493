using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>
/// What follows the header of a refusal, for each command: as many bytes as a success would have where a client is known that
/// reads that many and never looks at the Error bit. The table stands in docs/protocol-notes.md, too.
/// </summary>
public sealed class RefusalTests
{
    private const int None = 0;

    // a request that is refused, and the bytes behind the header of the refusal
    private static readonly (Command Command, byte[] Request, int Body)[] Table =
    [
        (Command.DmaMap, RawClient.Bytes(new DmaMap(32, (DmaMapFlags)0x80, 0, 0, 0x1000)), None),
        (Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24, (DmaUnmapFlags)0x80, 0x1000, 0x1000)), 24),
        (Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24, DmaUnmapFlags.GetDirtyBitmap, 0x1000, 0x1000)), 24),
        (Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24, DmaUnmapFlags.All, 0x1000, 0x1000)), 24),
        (Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(15, 0, 0, 0)), 16),
        (Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(32, 0, 99, 0, 0, 0)), 32),
        (Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(4096, 0, uint.MaxValue, 0, 0, 0)), 32),
        (Command.DeviceGetRegionIoFds, RawClient.Bytes(new RegionIoFds(16, 0, 99, 0)), None),
        (Command.DeviceGetIrqInfo, RawClient.Bytes(new IrqInfo(16, 0, 5, 0)), 16),
        (Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, 0, 0, 0, 0)), None),
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(ProbeDevice.PlainSize, ProbeDevice.Plain, 4)), 16 + 4),
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Absent, 1)), 16 + 1),
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(0, 99, 0)), 16),
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(ulong.MaxValue, ProbeDevice.Plain, 1 << 20)), 16 + (1 << 20)),
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, (1 << 20) + 1)), 16), // more than anybody may ask for
        (Command.RegionRead, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, uint.MaxValue)), 16),
        (Command.RegionWrite, RawClient.Bytes(new RegionAccess(ProbeDevice.PlainSize, ProbeDevice.Plain, 4), 1, 2, 3, 4), 16),
        (Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, 4), 1, 2, 3), 16),
        (Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, ProbeDevice.Plain, uint.MaxValue), 1), 16),
        (Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(1), RawClient.Bytes(new RegionWriteMultiEntry(0, 99, 4, 7))), None),
        (Command.DmaRead, RawClient.Bytes(new DmaAccess(0, 4)), None),
        (Command.DmaWrite, RawClient.Bytes(new DmaAccess(0, 4), 1, 2, 3, 4), None),
        (Command.DeviceReset, [1], None),
        (Command.DeviceFeature, RawClient.Bytes(new DeviceFeature(16, (DeviceFeatureFlags)0x10001)), None),
        (Command.MigDataRead, RawClient.Bytes(new MigrationData(12, 4)), None),
        (Command.MigDataWrite, RawClient.Bytes(new MigrationData(12, 4), 1, 2, 3, 4), None),
        (PreCopyInfo.Command, RawClient.Bytes(new PreCopyInfo(24, 0, 0, 0)), None),
        ((Command)14, new byte[24], None),
        ((Command)999, new byte[24], None),
    ];

    [Fact]
    public void Each_command_is_in_the_table() =>
        Table.Select(row => row.Command).Append(Command.Version).Should().Contain(Enum.GetValues<Command>());

    [Fact]
    public void A_client_that_reads_the_size_of_a_success_gets_it_and_stays_in_sync()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        foreach ((Command command, byte[] request, int body) in Table)
        {
            RawReply reply = client.Ask(command, request);

            reply.ShouldBeRefused(Errno.EINVAL);
            reply.Payload.Length.Should().Be(body, "of {0}", command);
            client.ShouldBeServed();
        }
    }

    [Fact]
    public void No_request_that_is_cut_short_changes_that()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        foreach ((Command command, byte[] request, int body) in Table)
        {
            for (int length = 0; length < Math.Min(request.Length, 16); length += 3)
            {
                RawReply reply = client.Ask(command, request.AsSpan(0, length));
                // a reset without a payload is none that is refused
                if (command == Command.DeviceReset && length == 0)
                    continue;
                reply.ShouldBeRefused(Errno.EINVAL);
                reply.Payload.Length.Should().Be(Math.Min(body, SizeWithoutData(command)), "of {0}", command);
            }
        }
        client.ShouldBeServed();
    }

    [Fact]
    public void A_refused_command_with_no_reply_gets_none()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        foreach ((Command command, byte[] request, _) in Table)
            client.Say(command, request, MessageFlags.NoReply);

        client.ShouldBeServed();
    }

    [Fact]
    public void A_write_that_fails_in_the_device_is_refused_with_its_size()
    {
        ProbeDevice device = new() { Written = (_, _) => throw new InvalidOperationException("on purpose") };
        using Served served = Served.Start(device);
        using RawClient client = served.Attach();

        RawReply reply = client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, 4), 1, 2, 3, 4));

        reply.ShouldBeRefused(Errno.EIO);
        client.ShouldBeServed();
    }

    [Fact]
    public void A_refused_unmap_has_its_address_and_size_0()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach();
        client.Ask(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, 0x1000, 0x2000)).ShouldBeGranted();

        RawReply reply = client.Ask(Command.DmaUnmap, new DmaUnmap(24, 0, 0x2000, 0x800)); // it would cut a mapping

        reply.Header.IsError.Should().BeTrue();
        WireFormat.Read<DmaUnmap>(reply.Payload).Should().Be(new DmaUnmap(24, 0, 0x2000, 0));
        client.ShouldBeServed();
    }

    private static int SizeWithoutData(Command command) => command == Command.RegionRead ? RegionAccess.WireSize : int.MaxValue;
}
