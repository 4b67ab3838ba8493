using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Whatever a client sends and however it leaves: not a descriptor more than before.</summary>
[Collection(OpenFds.Name)]
public sealed class DescriptorTests : IDisposable
{
    private readonly ProbeDevice _device = new();
    private readonly EventFd _eventFd = new();
    private readonly SafeFileHandle _sealed = Files.Sealed(0x10000);
    private readonly SafeFileHandle _unsealed = Files.Unsealed(0x10000);

    public DescriptorTests()
    {
        // what the runtime opens at the first time and keeps
        Conversation(client => client.ShouldBeServed());
        Conversation(client => client.ShouldBeServed(), Served.TwinProposal);
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _eventFd.Dispose();
        _sealed.Dispose();
        _unsealed.Dispose();
    }

    private void Conversation(Action<RawClient> talk, string? proposal = Served.QemuProposal)
    {
        using Served served = Served.Start(_device);
        using RawClient client = served.Connect();
        if (proposal is not null)
            Served.Negotiate(client, proposal);
        talk(client);
    }

    private void ShouldLeaveNothing(Action<RawClient> talk, string? proposal = Served.QemuProposal)
    {
        OpenFds before = OpenFds.Now();
        int mappings = OpenFds.Mappings("vfio-user-test");

        Conversation(talk, proposal);

        before.More().Should().BeEmpty();
        OpenFds.Mappings("vfio-user-test").Should().Be(mappings);
    }

    private SafeHandle[] Many(int count) => [.. Enumerable.Repeat((SafeHandle)_eventFd.Handle, count)];

    public static TheoryData<Command> Commands => [.. Enum.GetValues<Command>(), (Command)999];

    [Theory]
    [MemberData(nameof(Commands))]
    public void Commands_with_surplus_descriptors_leave_none(Command command) => ShouldLeaveNothing(client =>
    {
        byte[] nonsense = [1, 2, 3];
        foreach (int count in (int[])[1, 2, 16, 17, 64, 65, 253])
        {
            client.Ask(command, nonsense, Many(count)).ShouldBeRefused(Errno.EINVAL);
            client.Say(command, nonsense, MessageFlags.NoReply, Many(count));
        }
        client.ShouldBeServed();
    });

    // argsz and the like are right: what is refused is refused without descriptors, too
    public static TheoryData<Command, byte[]> Requests => new()
    {
        { Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(16, 0, 0, 0)) },
        { Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(32, 0, 0, 0, 0, 0)) },
        { Command.DeviceGetRegionIoFds, RawClient.Bytes(new RegionIoFds(16, 0, 0, 0)) },
        { Command.DeviceGetIrqInfo, RawClient.Bytes(new IrqInfo(16, 0, 2, 0)) },
        { Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)0x21, 2, 0, 1)) },
        { Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)0x22, 2, 0, 1), 1) },
        { Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)0x21, 2, 0, 0)) },
        { Command.RegionRead, RawClient.Bytes(new RegionAccess(0, 0, 4)) },
        { Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, 4), 1, 2, 3, 4) },
        { Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(1), RawClient.Bytes(new RegionWriteMultiEntry(0, 0, 4, 7))) },
        { Command.DeviceReset, [] },
        { Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24, DmaUnmapFlags.All, 0, 0)) },
    };

    [Theory]
    [MemberData(nameof(Requests), DisableDiscoveryEnumeration = true)]
    public void Served_commands_with_surplus_descriptors_leave_none(Command command, byte[] request) => ShouldLeaveNothing(client =>
    {
        // 17 are more than a message may have, 253 all that Linux passes at once
        foreach (int count in (int[])[1, 2, 16, 17, 64, 65, 253])
        {
            RawReply reply = client.Ask(command, request, Many(count));
            reply.Header.Flags.Should().Be(MessageFlags.Reply, "{0} descriptors are closed", count);
            reply.Fds?.Dispose();
        }
        client.ShouldBeServed();
    });

    [Fact]
    public void An_unmap_with_the_descriptor_of_its_map_leaves_none() => ShouldLeaveNothing(client =>
    {
        for (int i = 0; i < 20; i++)
        {
            client.Ask(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, 0x1000, 0x1000), _sealed).ShouldBeGranted();
            client.Ask(Command.DmaUnmap, new DmaUnmap(24, 0, 0x1000, 0x1000), _sealed).ShouldBeGranted<DmaUnmap>();
        }
    });

    [Fact]
    public void A_proposal_with_descriptors_leaves_none() => ShouldLeaveNothing(
        client => client.Ask(Command.Version, Served.Version(0, 1, "{}"), Many(5)).ShouldBegin<ProtocolVersion>(out _), proposal: null);

    [Fact]
    public void Replies_with_descriptors_leave_none() => ShouldLeaveNothing(client =>
    {
        foreach (Command command in Enum.GetValues<Command>())
            client.Say(command, new byte[40], MessageFlags.Reply, Many(2));
        client.StopTalking();
    });

    [Fact]
    public void A_bad_request_with_the_right_descriptors_leaves_none() => ShouldLeaveNothing(client =>
    {
        DmaMap map = new(32, DmaMapFlags.Readable, 0, 0x1000, 0x1000);
        client.Ask(Command.DmaMap, map, _sealed).ShouldBeGranted();
        client.Ask(Command.DmaMap, map, _sealed).ShouldBeRefused(Errno.EEXIST);
        client.Ask(Command.DmaMap, map with { Address = 0x5000, Size = 0x20000 }, _unsealed).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DmaMap, map with { Address = 0x5000, Flags = (DmaMapFlags)0x10 }, _unsealed).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 2040, 16), Many(16)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 1), Many(2)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.Version, Served.Version(0, 1, "{}"), Many(3)).ShouldBeRefused(Errno.EINVAL);
    });

    [Fact]
    public void Maps_and_interrupts_of_a_disconnected_client_leave_no_descriptor() => ShouldLeaveNothing(client =>
    {
        for (ulong i = 0; i < 100; i++)
            client.Ask(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, i * 0x10000, 0x10000), i % 2 == 0 ? _sealed : _unsealed).ShouldBeGranted();
        foreach (uint action in (uint[])[0x24, 0x14, 0xC])
        {
            for (uint start = 0; start < 2048; start += 16)
                client.Ask(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)action, 2, start, 16), Many(16)).ShouldBeGranted();
        }
    });

    [Fact]
    public void Replaced_and_removed_maps_and_interrupts_leave_no_descriptor()
    {
        using Served served = Served.Start(_device);
        using RawClient client = served.Attach();
        IrqSet set = new(20, (IrqSetFlags)0x24, 2, 0, 16);
        DmaMap map = new(32, DmaMapFlags.Readable, 0, 0x1000, 0x1000);
        client.ShouldBeServed(); // what a client that stays needs is there
        OpenFds before = OpenFds.Now();
        for (int i = 0; i < 50; i++)
        {
            client.Ask(Command.DeviceSetIrqs, set, Many(16)).ShouldBeGranted();
            client.Ask(Command.DmaMap, map, i % 2 == 0 ? _sealed : _unsealed).ShouldBeGranted();
            client.Ask(Command.DmaUnmap, new DmaUnmap(24, 0, 0x1000, 0x1000)).ShouldBeGranted<DmaUnmap>();
        }
        before.More().Should().HaveCount(16);

        client.Ask(Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x21, 2, 0, 0)).ShouldBeGranted();

        before.More().Should().BeEmpty();
    }

    [Theory]
    [InlineData(3)] // in the header
    [InlineData(20)] // in the body
    public void An_unfinished_message_leaves_no_descriptor(int length) => ShouldLeaveNothing(client =>
        client.SayBytes(RawClient.Message(1, Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 16)).AsSpan(0, length), Many(16)));

    [Fact]
    public void A_message_with_descriptors_at_every_byte_leaves_none() => ShouldLeaveNothing(client =>
    {
        byte[] message = RawClient.Message(1, Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 16));
        for (int i = 0; i < message.Length; i++)
            client.SayBytes(message.AsSpan(i, 1), Many(10));
        client.HearReply(1, Command.DeviceSetIrqs).ShouldBeRefused(Errno.EINVAL);
        client.ShouldBeServed();
    });

    [Fact]
    public void Unhandled_requests_leave_no_descriptor() => ShouldLeaveNothing(client =>
    {
        for (ushort id = 0; id < 50; id++)
            client.SayBytes(RawClient.Message(id, Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 16)), Many(16));
        client.Dispose();
    });

    [Fact]
    public void A_refused_proposal_leaves_no_descriptor() => ShouldLeaveNothing(
        client => client.Ask(Command.Version, Served.Version(7, 1, "{}"), Many(5)).ShouldBeRefused(Errno.EINVAL), proposal: null);

    [Fact]
    public void An_unfinished_first_message_leaves_no_descriptor() => ShouldLeaveNothing(
        client => client.SayBytes(RawClient.Message(1, Command.Version, Served.Version(0, 1, "{}")).AsSpan(0, 17), Many(5)), proposal: null);

    [Fact]
    public void A_twin_socket_leaves_no_descriptor() => ShouldLeaveNothing(client =>
    {
        client.Twin.Should().NotBeNull();
        client.ShouldBeServed();
    }, Served.TwinProposal);

    [Fact]
    public void Unexpected_messages_on_the_twin_socket_leave_no_descriptor() => ShouldLeaveNothing(client =>
    {
        client.Ask(Command.DmaMap, new DmaMap(32, DmaMapFlags.Readable, 0, 0x1000, 0x1000)).ShouldBeGranted();
        Task<bool> access = Wait.Start<bool>(() => _device.Dma.TryRead(new Iova(0x1000), out int _));
        RawReply request = client.Twin!.HearCommand(Command.DmaRead);
        for (ushort id = 0; id < 20; id++)
            client.Twin.SayBytes(RawClient.Message(id, Command.DeviceSetIrqs, new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 16)), Many(6));
        client.Twin.Answer(request, request.Payload);
        access.ShouldEnd();
    }, Served.TwinProposal);

    [Fact]
    public void Region_descriptors_of_a_client_leave_none_in_the_server() => ShouldLeaveNothing(client =>
    {
        for (int i = 0; i < 20; i++)
        {
            RawReply reply = client.Ask(Command.DeviceGetRegionInfo, new RegionInfo(80, 0, ProbeDevice.Sparse, 0, 0, 0));
            reply.Fds!.Dispose();
        }
    });
}
