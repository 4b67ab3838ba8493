using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>Devices that finish their DMA before they are quiesced, by DMA_READ and DMA_WRITE messages.</summary>
public sealed class QuiesceDmaTests
{
    private const ulong Asked = 0x40000;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_device_finishes_its_dma_by_message_while_the_command_waits(bool twin)
    {
        using QuiesceRig rig = new();
        using RawClient client = Attach(rig, twin);
        RawClient back = client.Twin ?? client;
        byte[] read = new byte[4];
        rig.Device.Answer = (_, _) => new(Wait.Start(() => rig.Device.Dma.TryRead(new Iova(Asked), read)
            && rig.Device.Dma.TryWrite(new Iova(Asked + 8), 0x01020304u)));

        ushort reset = rig.Say(client, "reset");
        RawReply wanted = back.HearCommand(Command.DmaRead);
        ushort behind = client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, (uint)RegionIndex.Bar0, 4), [9, 0, 0, 0]));
        back.Answer(wanted, RawClient.Bytes(new DmaAccess(Asked, 4), [1, 2, 3, 4]));
        RawReply written = back.HearCommand(Command.DmaWrite);
        rig.Device.Answer = (_, _) => new(true);
        back.Answer(written, RawClient.Bytes(new DmaAccess(Asked + 8, 4)));

        client.HearReply(reset, Command.DeviceReset).ShouldBeGranted();
        client.HearReply(behind, Command.RegionWrite).Header.Error.Should().Be(0u);
        read.Should().Equal(1, 2, 3, 4);
        rig.Device.Diary.Should().Equal("asked Reset", "reset ClientRequested", "resumed Reset", "written 9");
    }

    [Fact]
    public void A_client_that_leaves_meanwhile_lets_the_devices_dma_fail_and_the_device_answer()
    {
        using QuiesceRig rig = new();
        RawClient client = Attach(rig, twin: false);
        bool? done = null;
        rig.Device.Answer = (_, cancellation) => new(Wait.Start(() =>
        {
            done = rig.Device.Dma.TryRead(new Iova(Asked), new byte[4]);
            cancellation.WaitHandle.ShouldBeSet();
            return true;
        }));

        rig.Say(client, "reset");
        client.HearCommand(Command.DmaRead);
        client.Dispose();

        rig.ShouldTell("resumed Reset");
        done.Should().BeFalse();
        rig.Device.Diary.Should().Equal("asked Reset", "unmapping", "unmapping", "detached", "resumed Reset");
        rig.Device.Answer = (_, _) => new(true);
    }

    [Fact]
    public void Replies_that_are_ready_do_not_wait_for_the_device()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();
        byte[] info = RawClient.Message(1, Command.DeviceGetInfo, new DeviceInfo(DeviceInfo.WireSize, 0, 0, 0));

        client.SayBytes([.. info, .. RawClient.Message(2, Command.DeviceReset), .. info]); // received in one piece

        client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
        answer.ShouldBeAsked();
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();
        client.HearReply(2, Command.DeviceReset).ShouldBeGranted();
        client.HearReply(1, Command.DeviceGetInfo).ShouldBeGranted<DeviceInfo>();
    }

    [Fact]
    public void A_lease_released_by_a_quiescing_device_does_not_delay_the_unmap()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Dma.TryLease(new Iova(QuiesceRig.Mapped), 16, writable: true, out DmaLease lease).Should().BeTrue();
        rig.Device.Answer = async (_, _) =>
        {
            await Task.Yield();
            lease.Dispose();
            return true;
        };

        client.HearReply(rig.Say(client, "unmap"), Command.DmaUnmap).ShouldBeGranted<DmaUnmap>();

        rig.Device.Diary.Should().Equal("asked DmaUnmap", "unmapping", "resumed DmaUnmap");
        rig.Device.Answer = (_, _) => new(true);
    }

    private static RawClient Attach(QuiesceRig rig, bool twin)
    {
        RawClient client = rig.Attach(twin ? Served.TwinProposal : Served.QemuProposal);
        client.Ask(Command.DmaMap, QuiesceRig.Map(Asked)).ShouldBeGranted();
        rig.Device.Forget();
        return client;
    }
}
