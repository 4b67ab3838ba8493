using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Replaying;

/// <summary>Plays the clients of a recording to a server, one after another, and compares its replies and commands. One thread.</summary>
/// <param name="connect">Makes a connection for each client.</param>
/// <param name="timeout">How long the server may take to answer.</param>
/// <param name="speed">Factor of the recorded speed; null for as fast as the server answers.</param>
/// <param name="ignored">Commands whose replies are not compared.</param>
/// <param name="report">Called with each difference, on any thread, one call at a time.</param>
/// <param name="stop">Ends it with an <see cref="OperationCanceledException"/>.</param>
internal sealed class Replayer(Func<SafeSocketHandle> connect, TimeSpan timeout, double? speed, IReadOnlySet<Command> ignored,
    Action<string> report, CancellationToken stop)
{
    // a server that sends arbitrary messages must not fill a disk
    private const int MaxReported = 1000;

    private readonly Lock _gate = new();

    /// <summary>Number of messages sent.</summary>
    public int Sent { get; private set; }

    /// <summary>Number of the server's replies and commands that are as recorded.</summary>
    public int Same { get; private set; }

    /// <summary>Number of differences.</summary>
    public int Different { get; private set; }

    /// <summary>Plays the records of one client, all of which are in memory.</summary>
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
            bool continues = fromClient ? Send(server, record)
                : record.Kind == RecordKind.Piece || (byNumber.TryGetValue(number, out Expected? command) ? CompareCommand(server, command) : CompareReply(server, number, record));
            if (!continues)
                return;
        }
    }

    private bool Send(ServerSide server, Recorded record)
    {
        // recorded replies are sent when the server sends the command
        if (record.Kind == RecordKind.Message && record.Header.IsReply)
            return true;
        SafeHandle[] fds = [.. record.Fds.Select(Recreate)];
        try
        {
            Sent++;
            if (server.Send(record.Bytes, fds, (record.Way & Way.Twin) != 0, timeout))
                return true;
        }
        finally
        {
            foreach (SafeHandle fd in fds)
                fd.Dispose();
        }
        Missing("the server accepts no more messages");
        return false;
    }

    private bool CompareCommand(ServerSide server, Expected command)
    {
        if (!server.WaitFor(command, timeout))
            Missing($"record {command.Number}, {Differences.Name(command.Command)}: recorded from the server, not sent now");
        else if (!command.Differs)
            Same++;
        return true;
    }

    private bool CompareReply(ServerSide server, int number, Recorded reply)
    {
        if (server.WaitForReply(reply.Header.MessageId, timeout) is not { } now)
        {
            Missing($"record {number}, {Differences.Name(reply)}: no reply");
            return false;
        }
        if (!ignored.Contains(reply.Header.Command) && Differences.Between(reply, now) is { } difference)
            Differs($"record {number}, {Differences.Name(reply)}: {difference}");
        else
            Same++;
        return true;
    }

    // a file may have times centuries apart: wait at most int.MaxValue milliseconds
    private void Wait(double milliseconds)
    {
        if (milliseconds > 0 && stop.WaitHandle.WaitOne((int)Math.Min(milliseconds, int.MaxValue)))
            stop.ThrowIfCancellationRequested();
    }

    // after Ctrl-C a missing message is not the server's fault
    private void Missing(string what)
    {
        stop.ThrowIfCancellationRequested();
        Differs(what);
    }

    private void Differs(string what)
    {
        lock (_gate)
        {
            Different++;
            if (Different <= MaxReported)
                report(what);
            if (Different == MaxReported)
                report("more differences are counted, and not printed");
        }
    }

    // a recording has only the kind and size of a descriptor
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
