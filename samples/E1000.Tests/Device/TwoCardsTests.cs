using E1000.Device;
using E1000.Tests.Support;
using VfioUser;

namespace E1000.Tests.Device;

public class TwoCardsTests
{
    [Fact]
    public void Cards_that_a_switch_joins_send_to_one_another()
    {
        NetworkSwitch middle = new();
        using Rig first = new Rig().Start();
        using Rig second = new Rig().Start();
        first.Card.Plug(middle.Connect(first.Card));
        second.Card.Plug(middle.Connect(second.Card));
        byte[] frame = Frames.To(Rig.Own, 777);

        first.Transmit(Descriptors.Legacy(first.Guest.Place(frame), frame.Length));
        second.Settle();

        second.ReceivedBytes(0).Should().Equal(frame);
        first["RDH"].Should().Be(0);
    }

    [Fact]
    public async Task Both_may_send_at_once()
    {
        NetworkSwitch middle = new();
        using Rig first = new Rig(receiveBufferSize: 1 << 20).Start();
        using Rig second = new Rig(receiveBufferSize: 1 << 20).Start();
        first.Card.Plug(middle.Connect(first.Card));
        second.Card.Plug(middle.Connect(second.Card));

        await Task.WhenAll(Task.Run(() => Flood(first)), Task.Run(() => Flood(second)));
        first.Settle();
        second.Settle();

        // 31 have come and the others wait
        first["RDH"].Should().Be(Rig.RingSize - 1);
        second["RDH"].Should().Be(Rig.RingSize - 1);
        (first["MPC"], second["MPC"], first["GPTC"], second["GPTC"]).Should().Be((0, 0, 400, 400));
    }

    private static void Flood(Rig rig)
    {
        Iova frame = rig.Guest.Place(Frames.To(Frames.Broadcast, 900));
        for (int i = 0; i < 20; i++)
            rig.Transmit([.. Enumerable.Repeat(Descriptors.Legacy(frame, 900), 20)]);
    }
}
