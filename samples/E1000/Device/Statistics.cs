using VfioUser;
using VfioUser.Network;

namespace E1000.Device;

/// <summary>The counters at 0x4000, which a read clears. A full one stays full.</summary>
internal sealed class Statistics
{
    private const long Start = 0x4000;

    private readonly Register<uint>[] _counters = new Register<uint>[64];
    private readonly Register<ulong> _goodReceived, _goodTransmitted, _received, _transmitted;

    public Statistics(RegisterBlock csr)
    {
        foreach (Statistic statistic in Enum.GetValues<Statistic>())
            _counters[(int)statistic / 4] = csr.AddRegister<uint>(Start + (int)statistic, new() { Name = $"{statistic}", Access = RegisterAccess.ReadToClear });
        _goodReceived = Octets(0x88, "GORC");
        _goodTransmitted = Octets(0x90, "GOTC");
        _received = Octets(0xC0, "TOR");
        _transmitted = Octets(0xC8, "TOT");

        Register<ulong> Octets(long offset, string name) => csr.AddRegister<ulong>(Start + offset, new() { Name = name, Access = RegisterAccess.ReadToClear });
    }

    public void Count(Statistic statistic, uint times = 1)
    {
        Register<uint> counter = _counters[(int)statistic / 4];
        counter.Value = (uint)Math.Min(uint.MaxValue, (ulong)counter.Value + times);
    }

    /// <param name="destination">Where the frame goes to.</param>
    /// <param name="length">With the check sequence.</param>
    public void CountReceived(ReadOnlySpan<byte> destination, int length)
    {
        Count(destination, length, Statistic.PRC64, Statistic.MPRC, Statistic.BPRC);
        Count(Statistic.GPRC);
        Count(Statistic.TPR);
        _goodReceived.Value += (uint)length;
        _received.Value += (uint)length;
    }

    /// <summary>Counts a frame, or each that it is cut into.</summary>
    /// <returns>How many these are.</returns>
    public int CountTransmitted(in NetworkFrame frame)
    {
        int frames = frame.SegmentCount;
        for (int i = 0; i < frames; i++)
        {
            int length = Math.Max(frame.GetSegmentLength(i), Ethernet.MinLength) + Ethernet.CheckSequenceLength;
            Count(frame.Head, length, Statistic.PTC64, Statistic.MPTC, Statistic.BPTC);
            _goodTransmitted.Value += (uint)length;
            _transmitted.Value += (uint)length;
        }
        Count(Statistic.GPTC, (uint)frames);
        Count(Statistic.TPT, (uint)frames);
        return frames;
    }

    private void Count(ReadOnlySpan<byte> destination, int length, Statistic firstSize, Statistic multicast, Statistic broadcast)
    {
        int size = length switch { <= 64 => 0, <= 127 => 1, <= 255 => 2, <= 511 => 3, <= 1023 => 4, _ => 5 };
        Count(firstSize + (4 * size));
        if (Ethernet.IsBroadcast(destination))
            Count(broadcast);
        else if (Ethernet.IsGroup(destination))
            Count(multicast);
    }
}
