using System.Diagnostics;
using VfioUser.Tool.Regions;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Shell.Verbs;

/// <summary>Registers and regions.</summary>
internal static class RegisterVerbs
{
    private const ulong MaxDump = 1 << 20;
    private const string TargetForms = "NAME | REGION OFFSET [WIDTH]";

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan WatchInterval = TimeSpan.FromMilliseconds(20);

    public static IReadOnlyList<Verb> All { get; } =
    [
        new("registers", "[TEXT]", "Lists the registers whose names have the text", List),
        new("read", $"{TargetForms} | irq TYPE [VECTOR]", "Reads a register, a field or an offset; or how often an interrupt came", Read),
        new("write", $"{TargetForms} VALUE", "Writes a register, a field or an offset, and waits until the device has it", (session, words) => session.Confirm(Target.Take(session, words, then: 1).Write(TakeValue(words)))),
        new("post", $"{TargetForms} VALUE", "Writes without waiting, as QEMU does", (session, words) => Target.Take(session, words, then: 1).Post(TakeValue(words))),
        new("dump", "REGION OFFSET LENGTH [WIDTH]", "Prints bytes of a region, or words of a width, with ASCII", Dump),
        new("watch", $"{TargetForms} for SECONDS", "Prints changes for a time", Watch),
        new("expect", $"{TargetForms} | irq TYPE [VECTOR]   == | != | < | <= | > | >= | has | lacks   VALUE", "Fails if the value is another; has and lacks are about bits", Expect),
        new("wait", $"{TargetForms} | irq TYPE [VECTOR]   == ...   VALUE [within SECONDS]", "Reads until the value is as expected", Wait),
    ];

    private static void List(ShellSession session, Words words)
    {
        string text = words.IsAtEnd ? "" : words.Take("TEXT");
        words.End();
        MapDocument map = session.Names.Map;
        RegisterText.WriteList(session.Terminal, [.. (map.Registers ?? []).Where(register => register.Name.Contains(text, StringComparison.OrdinalIgnoreCase))],
            text.Length == 0 ? map.Omitted ?? 0 : 0);
    }

    private static void Read(ShellSession session, Words words)
    {
        Target target = Target.Take(session, words);
        words.End();
        session.Terminal.Out.WriteLine($"{target.Name} = {target.Describe(target.Read())}");
    }

    private static string TakeValue(Words words)
    {
        string value = words.Take("VALUE");
        words.End();
        return value;
    }

    private static void Dump(ShellSession session, Words words)
    {
        string name = words.Take("REGION");
        if (!RegionName.TryParse(name, out uint region))
            throw new UsageException($"'{name}' is no region: {RegionName.Forms}.");
        ulong offset = session.TakeNumber(words, "OFFSET");
        ulong length = session.TakeNumber(words, "LENGTH");
        int width = Target.TakeWidth(words) ?? 1;
        words.End();
        if (length is 0 or > MaxDump)
            throw new UsageException($"{length} bytes cannot be printed; 1 to {MaxDump} can.");
        byte[] bytes = new byte[length];
        RegionTransfer.Read(session.Client, region, offset, bytes);
        HexDump.Write(session.Terminal.Out, offset, bytes, width);
    }

    private static void Watch(ShellSession session, Words words)
    {
        Target target = Target.Take(session, words);
        TimeSpan time = ShellSession.TakeLimit(words, "for", TimeSpan.Zero);
        words.End();
        if (time == TimeSpan.Zero)
            throw new UsageException("For how long: for SECONDS.");
        long start = Stopwatch.GetTimestamp();
        ulong before = target.Read();
        while (Stopwatch.GetElapsedTime(start) is var now && now < time)
        {
            Pause(session, WatchInterval);
            ulong read = target.Read();
            if (target.Of(read) != target.Of(before))
                session.Terminal.Out.WriteLine($"{now.TotalSeconds,10:f3}  {target.Name}  {target.Describe(before)} -> {target.Describe(read)}");
            before = read;
        }
    }

    private static void Expect(ShellSession session, Words words)
    {
        if (DmaVerbs.TryExpect(session, words))
            return;
        Condition condition = Condition.Take(session, words);
        words.End();
        if (!condition.Holds(out string problem))
            throw new ToolException(problem);
    }

    private static void Wait(ShellSession session, Words words)
    {
        Condition condition = Condition.Take(session, words);
        TimeSpan limit = ShellSession.TakeLimit(words, "within", session.Timeout);
        words.End();
        long start = Stopwatch.GetTimestamp();
        while (!condition.Holds(out string problem))
        {
            if (Stopwatch.GetElapsedTime(start) >= limit)
                throw new ToolException($"{problem}, after {limit.TotalSeconds} seconds");
            Pause(session, PollInterval);
        }
    }

    private static void Pause(ShellSession session, TimeSpan time)
    {
        if (session.Stop.WaitHandle.WaitOne(time))
            throw new OperationCanceledException(session.Stop);
    }
}
