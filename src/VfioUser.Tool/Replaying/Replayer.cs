using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Replaying;

/// <summary>Plays the clients of a recording against a server, one after another, and compares what it says. One thread.</summary>
/// <param name="connect">A connection for each client.</param>
/// <param name="patience">How long the server may take for an answer.</param>
/// <param name="speed">How much faster than recorded; null for as fast as the server is.</param>
/// <param name="ignored">Commands whose answers are not compared.</param>
/// <param name="report">Told of each difference, on any thread, one at a time.</param>
/// <param name="stop">Ends it with an <see cref="OperationCanceledException"/>.</param>
internal sealed class Replayer(Func<SafeSocketHandle> connect, TimeSpan patience, double? speed, IReadOnlySet<Command> ignored,
    Action<string> report, CancellationToken stop)
{
    // a server that says what it likes shall not fill a disk
    private const int MostReported = 1000;

    private readonly Lock _gate = new();

    /// <summary>Messages that were sent.</summary>
    public int Sent { get; private set; }

    /// <summary>Replies and commands of the server that are as recorded.</summary>
    public int Same { get; private set; }

    /// <summary>What is not.</summary>
    public int Different { get; private set; }

    /// <summary>Plays a client's records; the whole of them is in memory.</summary>
    public void Play(IReadOnlyList<(int Number, Recorded Record)> records)
    {
        List<Expected> expected = Expected.Of(records);
        using ServerSide server = new(connect(), expected, Differs);
        using CancellationTokenRegistration stopping = stop.Register(server.End);
        Dictionary<int, Expected> byNumber = expected.ToDictionary(one => one.Number);
        Stopwatch time = Stopwatch.StartNew();
        TimeSpan start = records[0].Record.Time;
        foreach ((int number, Recorded record) in records)
        {
            stop.ThrowIfCancellationRequested();
            if (record.Kind is not (RecordKind.Message or RecordKind.Piece))
                continue;
            bool fromClient = (record.Way & Way.ToClient) == 0;
            if (fromClient)
                Wait((record.Time - start).TotalMilliseconds / (speed ?? double.PositiveInfinity) - time.Elapsed.TotalMilliseconds);
            bool goesOn = fromClient ? Send(server, record)
                : record.Kind == RecordKind.Piece || (byNumber.TryGetValue(number, out Expected? command) ? Meet(server, command) : Compare(server, number, record));
            if (!goesOn)
                return;
        }
    }

    private bool Send(ServerSide server, Recorded record)
    {
        // answers are given when the server asks
        if (record.Kind == RecordKind.Message && record.Header.IsReply)
            return true;
        SafeHandle[] fds = [.. record.Fds.Select(Recreate)];
        try
        {
            Sent++;
            if (server.Send(record.Bytes, fds, (record.Way & Way.Twin) != 0, patience))
                return true;
        }
        finally
        {
            foreach (SafeHandle fd in fds)
                fd.Dispose();
        }
        Misses("the server takes no more messages");
        return false;
    }

    private bool Meet(ServerSide server, Expected command)
    {
        if (!server.WaitFor(command, patience))
            Misses($"record {command.Number}, {Differences.Name(command.Command)}: recorded from the server, now it did not come");
        else if (!command.Differs)
            Same++;
        return true;
    }

    private bool Compare(ServerSide server, int number, Recorded reply)
    {
        if (server.WaitForReply(reply.Header.MessageId, patience) is not { } now)
        {
            Misses($"record {number}, {Differences.Name(reply)}: no reply came");
            return false;
        }
        if (!ignored.Contains(reply.Header.Command) && Differences.Between(reply, now) is { } difference)
            Differs($"record {number}, {Differences.Name(reply)}: {difference}");
        else
            Same++;
        return true;
    }

    // what a file says may be centuries, and the longest wait of the system has to do
    private void Wait(double milliseconds)
    {
        if (milliseconds > 0 && stop.WaitHandle.WaitOne((int)Math.Min(milliseconds, int.MaxValue)))
            stop.ThrowIfCancellationRequested();
    }

    // what does not come after Ctrl-C is not the server's fault
    private void Misses(string what)
    {
        stop.ThrowIfCancellationRequested();
        Differs(what);
    }

    private void Differs(string what)
    {
        lock (_gate)
        {
            Different++;
            if (Different <= MostReported)
                report(what);
            if (Different == MostReported)
                report("more differences are counted, and not printed");
        }
    }

    // of what was behind a descriptor only its kind and size are known
    private static SafeHandle Recreate(FdFacts fd)
    {
        switch (fd.Kind)
        {
            case FdKind.Memory or FdKind.File:
                return FileCalls.CreateMemory("vfio-user-replay", fd.Size);
            case FdKind.Socket:
                (SafeSocketHandle first, SafeSocketHandle second) = SocketCalls.CreatePair();
                second.Dispose();
                return first;
            default:
                return new EventFd().Handle;
        }
    }
}
