using System.Diagnostics;
using System.Net.Sockets;
using VfioUser.Protocol;

namespace VfioUser.Benchmarks;

/// <summary>
/// A client that comes, agrees on a version, and goes, again and again: a server's next client waits until it has left the one before.
/// The servers serve nobody else meanwhile.
/// </summary>
internal sealed class ConnectRows(Peer floor, Peer ours, IReadOnlyList<Peer> others)
{
    private const int Rounds = 400;

    private readonly byte[] _version = Requests.Version();
    private readonly byte[] _reply = new byte[4096];

    public IEnumerable<Row> All()
    {
        yield return Connections("connect, agree on a version and close", 2.5, Percentile(50));
        yield return Connections("the same, the slowest of a hundred", 2.5, Percentile(99));
    }

    private Row Connections(string name, double target, Func<double[], double> of) =>
        new(name, "µs", target, () => of(Times(floor)), () => of(Times(ours)))
        {
            Others = [.. others.Select(other => (Func<double>)(() => of(Times(other))))],
        };

    private static Func<double[], double> Percentile(int percent) => sorted => sorted[sorted.Length * percent / 100];

    private double[] Times(Peer peer)
    {
        double[] times = new double[Rounds];
        foreach (ref double time in times.AsSpan())
        {
            long start = Stopwatch.GetTimestamp();
            using (Socket socket = peer.ConnectAgain())
            {
                int descriptor = Bare.Raw(socket.SafeHandle);
                Bare.Send(descriptor, _version);
                Bare.ReceiveExactly(descriptor, _reply.AsSpan(0, MessageHeader.WireSize));
                MessageHeader header = WireFormat.Read<MessageHeader>(_reply);
                Bare.ReceiveExactly(descriptor, _reply.AsSpan(0, (int)header.MessageSize - MessageHeader.WireSize));
            }
            time = Stopwatch.GetElapsedTime(start).TotalMicroseconds;
        }
        Array.Sort(times);
        return times;
    }
}
