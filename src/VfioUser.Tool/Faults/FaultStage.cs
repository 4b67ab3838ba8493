using VfioUser.Protocol;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Faults;

/// <summary>Injects faults. Any thread. Counts messages of all clients together.</summary>
internal sealed class FaultStage(IReadOnlyList<Fault> faults, CancellationToken stop) : IMessageStage
{
    private readonly long[] _seen = new long[faults.Count];

    public Verdict Judge(Way way, in MessageHeader header)
    {
        Verdict verdict = new(Fate.PassOn);
        for (int i = 0; i < faults.Count; i++)
        {
            Fault fault = faults[i];
            if (!Concerns(fault, header))
                continue;
            long seen = Interlocked.Increment(ref _seen[i]);
            if (fault.Kind == FaultKind.CloseAfter ? seen <= fault.Messages : fault.Nth is { } nth && seen != nth)
                continue;
            if (fault.Kind == FaultKind.Delay)
                stop.WaitHandle.WaitOne(fault.Time);
            else if (verdict.Fate == Fate.PassOn)
                verdict = VerdictOf(fault);
            // start counting again for the next client
            if (fault.Kind == FaultKind.CloseAfter)
                Interlocked.Exchange(ref _seen[i], 0);
        }
        return verdict;
    }

    private static Verdict VerdictOf(Fault fault) => fault.Kind switch
    {
        FaultKind.Refuse => new Verdict(Fate.Refuse, fault.Errno),
        FaultKind.NoReply => new Verdict(Fate.Swallow),
        _ => new Verdict(Fate.Close),
    };

    private static bool Concerns(Fault fault, in MessageHeader header)
    {
        if (fault.Kind == FaultKind.CloseAfter)
            return true;
        bool kind = fault.Kind == FaultKind.NoReply ? header.IsReply : header.IsCommand;
        return kind && (fault.Command is null || fault.Command == header.Command);
    }
}
