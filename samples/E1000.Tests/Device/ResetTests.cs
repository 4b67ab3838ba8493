using E1000.Device;
using E1000.Tests.Support;
using VfioUser;
using VfioUser.Testing;

namespace E1000.Tests.Device;

/// <summary>A reset between any two steps of a driver.</summary>
public class ResetTests
{
    private static readonly Action<Rig>[] Steps =
    [
        rig => rig.Start(),
        rig => rig["EECD"] = (ulong)(EepromControl.Request | EepromControl.ChipSelect),
        rig => rig["EECD"] = (ulong)(EepromControl.Request | EepromControl.ChipSelect | EepromControl.DataIn),
        rig => rig["EECD"] = (ulong)(EepromControl.Request | EepromControl.ChipSelect | EepromControl.DataIn | EepromControl.Clock),
        rig => rig.WritePhy(0, (ushort)MiiControl.Loopback),
        rig => rig.WritePhy(0, (ushort)(MiiControl.Loopback | MiiControl.PowerDown)),
        rig => rig["RA[0]"] = 1ul << 63 | 0x112233445566,
        rig => rig["TIDV"] = 2000,
        rig => rig["RDTR"] = 2000,
        rig => rig["ITR"] = 10_000,
        rig => Send(rig, TransmitCommand.EndOfPacket | TransmitCommand.ReportStatus | TransmitCommand.DelayInterrupt),
        rig => rig.Receive(Frames.To(Frames.Broadcast)),
        rig => rig["ICS"] = (ulong)InterruptCauses.LinkStatusChange,
        rig => Send(rig, default),
        rig => Segment(rig, TransmitCommand.Segment),
        rig => Segment(rig, TransmitCommand.Segment | TransmitCommand.EndOfPacket),
        rig => rig.Card.Unplug(),
        rig => rig["RDT"] = 0,
        rig => rig["TDLEN"] = 0,
        rig => rig.Receive(Frames.To(Rig.Own)),
    ];

    public static TheoryData<int, bool> Points()
    {
        TheoryData<int, bool> points = [];
        for (int steps = 1; steps <= Steps.Length; steps++)
        {
            points.Add(steps, true);
            points.Add(steps, false);
        }
        return points;
    }

    [Theory]
    [MemberData(nameof(Points))]
    public void A_reset_after_any_step_leaves_a_card_as_it_was_new(int steps, bool byTheBus)
    {
        using Rig rig = new();
        Dictionary<string, ulong> fresh = RegistersOf(rig, byTheBus);
        foreach (Action<Rig> step in Steps.AsSpan(0, steps))
            step(rig);
        rig.Card.Plug(rig.Cable);
        int sent = rig.Cable.Frames.Count;

        if (byTheBus)
            rig.Guest.Reset();
        else
            rig["CTRL"] = (ulong)Control.Reset;

        rig.Settle();
        RegistersOf(rig, byTheBus).Should().Equal(fresh);
        rig.Guest.StartDriver(PciIrqTypes.Intx);
        rig.Guest.Intx.Take();
        rig.Guest.Advance(TimeSpan.FromSeconds(1));
        rig.Guest.Intx.ExpectNone();
        rig.Cable.Frames.Should().HaveCount(sent, "nothing goes on after a reset");

        rig.WritePhy(0, (ushort)MiiControl.Reset);
        rig.Start();
        byte[] frame = Frames.To(Rig.Own, 333);
        rig.Receive(frame);
        rig.ReceivedBytes(0).Should().Equal(frame);
        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), frame.Length));
        rig.Cable.Frames.Should().HaveCount(sent + 1);
        rig.Cable.Frames[^1].Should().Equal(frame);
    }

    private static void Send(Rig rig, TransmitCommand command)
    {
        byte[] frame = Frames.To(Frames.Peer);
        rig.Transmit(Descriptors.Legacy(rig.Guest.Place(frame), frame.Length, command));
    }

    private static void Segment(Rig rig, TransmitCommand command)
    {
        byte[] packet = Frames.Tcp(Frames.Peer, 4000);
        rig.Transmit(
            Descriptors.Context(ContextCommand.Tcp | ContextCommand.Ipv4 | ContextCommand.Segment, segmentSize: 1000, payload: 4000),
            Descriptors.Data(rig.Guest.Place(packet), packet.Length, command));
    }

    // the PHY and the window in I/O space have registers that the card's own reset leaves
    private static Dictionary<string, ulong> RegistersOf(Rig rig, bool all = true) =>
        rig.Card.GetRegisters().Where(register => all || register.Region == RegionIndex.Bar0).ToDictionary(register => register.Name, register => register.Value, StringComparer.Ordinal);
}
