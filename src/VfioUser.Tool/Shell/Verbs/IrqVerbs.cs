using System.Diagnostics;
using System.Globalization;
using VfioUser.Testing;
using VfioUser.Tool.Irqs;

namespace VfioUser.Tool.Shell.Verbs;

/// <summary>Interrupts. All vectors of all types have eventfds from the start.</summary>
internal static class IrqVerbs
{
    // Ctrl-C ends a wait after that long
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(100);

    public static IReadOnlyList<Verb> All { get; } =
    [
        new("irq wait", "TYPE [VECTOR] [within SECONDS]", "Waits for an interrupt that was not taken yet, and takes it. A type is intx, msi, msix, err or req", Wait),
        new("irq none", "TYPE [for SECONDS]", "Fails if a vector has come, or comes within the time, that was not taken", None),
        new("irq count", "TYPE", "Prints how often each vector has come", Count),
        new("irq mask", "TYPE [VECTOR]", "Masks a vector", (session, words) => TakeOnlyVector(session, words).Mask()),
        new("irq unmask", "TYPE [VECTOR]", "Unmasks a vector; INTx masks itself when it comes", (session, words) => TakeOnlyVector(session, words).Unmask()),
    ];

    /// <summary>Takes TYPE [VECTOR].</summary>
    /// <exception cref="UsageException">There is no such type.</exception>
    /// <exception cref="ToolException">The device has no such vector.</exception>
    public static GuestIrq TakeVector(ShellSession session, Words words)
    {
        GuestInterrupts type = TakeType(session, words);
        ulong vector = words.Peek is [>= '0' and <= '9' or '$', ..] ? session.TakeNumber(words, "VECTOR") : 0;
        return vector < (ulong)type.Count ? type[(int)vector]
            : throw new ToolException($"The device has {type.Count} {(type.Count == 1 ? "vector" : "vectors")} of {IrqName.Of((uint)type.Type)}, and no vector {vector}.");
    }

    private static GuestInterrupts TakeType(ShellSession session, Words words)
    {
        string name = words.Take("TYPE");
        return IrqName.TryParse(name, out uint index) && Enum.IsDefined((IrqType)index) ? session.Guest.Interrupts((IrqType)index)
            : throw new UsageException($"'{name}' is no interrupt type: {IrqName.Forms}.");
    }

    private static GuestIrq TakeOnlyVector(ShellSession session, Words words)
    {
        GuestIrq vector = TakeVector(session, words);
        words.End();
        return vector;
    }

    private static void Wait(ShellSession session, Words words)
    {
        GuestIrq vector = TakeVector(session, words);
        TimeSpan limit = ShellSession.TakeLimit(words, "within", session.Timeout);
        words.End();
        long start = Stopwatch.GetTimestamp();
        while (!vector.TryTakeNext(Min(Slice, limit - Stopwatch.GetElapsedTime(start))))
        {
            session.Stop.ThrowIfCancellationRequested();
            if (Stopwatch.GetElapsedTime(start) >= limit)
                throw new ToolException($"{IrqName.Of((uint)vector.Type)} {vector.Vector} did not come within {limit.TotalSeconds.ToString(CultureInfo.InvariantCulture)} seconds; it has come {vector.Count} times in all");
        }
    }

    private static void None(ShellSession session, Words words)
    {
        GuestInterrupts type = TakeType(session, words);
        TimeSpan time = ShellSession.TakeLimit(words, "for", TimeSpan.Zero);
        words.End();
        if (time > TimeSpan.Zero && session.Stop.WaitHandle.WaitOne(time))
            throw new OperationCanceledException(session.Stop);
        type.ExpectNone();
    }

    private static void Count(ShellSession session, Words words)
    {
        GuestInterrupts type = TakeType(session, words);
        words.End();
        session.Client.GetDeviceInfo();
        foreach (GuestIrq vector in type)
            session.Terminal.Out.WriteLine($"{IrqName.Of((uint)type.Type)} {vector.Vector}: {vector.Count}");
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;
}
