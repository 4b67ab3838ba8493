using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>
/// The client in <c>rust-vmm/vfio</c>: header and body in writes of their own, argsz 32 for a device's info, one descriptor
/// a message, and replies of fixed sizes that it waits for byte by byte, errors included.
/// </summary>
public sealed class RustClientTests
{
    private const string Proposal =
        """{"capabilities":{"max_msg_fds":1,"max_data_xfer_size":1048576,"migration":{"pgsize":4096}}}""";

    private static RawReply Ask(RawClient client, Command command, ReadOnlySpan<byte> payload, params ReadOnlySpan<System.Runtime.InteropServices.SafeHandle> fds)
    {
        ushort id = client.NextId();
        byte[] message = RawClient.Message(id, command, payload);
        client.SayBytes(message.AsSpan(0, MessageHeader.WireSize), fds); // the descriptors go with the header
        client.SayBytes(message.AsSpan(MessageHeader.WireSize));
        return client.HearReply(id, command);
    }

    [Fact]
    public void Rust_client_attaches_maps_and_gets_replies_of_the_sizes_it_expects()
    {
        using Served served = Served.Start();
        using RawClient client = served.Connect();
        using SafeFileHandle ram = Files.Sealed(0x10000);
        using EventFd eventFd = new();

        Ask(client, Command.Version, Served.Version(0, 1, Proposal)).ShouldBegin<ProtocolVersion>(out byte[] text);
        System.Text.Encoding.UTF8.GetString(text).Should().Contain("\"capabilities\":{", "it insists on the object").And.NotContain("migration");

        DmaMap map = new(32, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, 0, 0x10000);
        Ask(client, Command.DmaMap, RawClient.Bytes(map), ram).ShouldBeGranted();
        Ask(client, Command.DeviceGetInfo, RawClient.Bytes(new DeviceInfo(32, 0, 0, 0))).ShouldBeGranted<DeviceInfo>();
        Ask(client, Command.DeviceGetRegionInfo, RawClient.Bytes(new RegionInfo(32, 0, 0, 0, 0, 0))).ShouldBeGranted<RegionInfo>();
        Ask(client, Command.DeviceGetIrqInfo, RawClient.Bytes(new IrqInfo(16, 0, 2, 0))).ShouldBeGranted<IrqInfo>();
        Ask(client, Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)0x24, 2, 0, 1)), eventFd.Handle).ShouldBeGranted();
        Ask(client, Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, 0, 4), 1, 2, 3, 4)).ShouldBeGranted<RegionAccess>();
        Ask(client, Command.RegionRead, RawClient.Bytes(new RegionAccess(0, 0, 4))).ShouldBegin<RegionAccess>(out byte[] data);
        data.Should().Equal(1, 2, 3, 4);
        Ask(client, Command.DeviceReset, default).ShouldBeGranted();
        Ask(client, Command.DmaUnmap, RawClient.Bytes(new DmaUnmap(24, 0, 0, 0x10000))).ShouldBeGranted<DmaUnmap>();

        served.Device.MsiX[0].Trigger().Should().BeTrue();
        eventFd.Take().Should().Be(1);
    }

    [Fact]
    public void A_read_that_fails_in_the_device_has_its_full_size()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach(Proposal);
        served.Device.Read = (_, _) => throw new InvalidOperationException("read");

        RawReply reply = Ask(client, Command.RegionRead, RawClient.Bytes(new RegionAccess(0, 0, 8)));

        reply.Header.MessageSize.Should().Be(16 + 16 + 8);
        client.ShouldBeServed();
    }

    [Fact]
    public void Descriptors_sent_with_a_header_belong_to_its_message()
    {
        using Served served = Served.Start();
        using RawClient client = served.Attach(Proposal);
        using EventFd first = new(), second = new();

        for (uint vector = 0; vector < 2; vector++)
        {
            Ask(client, Command.DeviceSetIrqs, RawClient.Bytes(new IrqSet(20, (IrqSetFlags)0x24, 2, vector, 1)), vector == 0 ? first.Handle : second.Handle)
                .ShouldBeGranted();
        }

        served.Device.MsiX[1].Trigger();
        first.Take().Should().Be(0);
        second.Take().Should().Be(1);
    }
}
