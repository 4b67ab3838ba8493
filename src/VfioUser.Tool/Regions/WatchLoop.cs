using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Regions;

/// <summary>Reads repeatedly, and prints what has changed since the previous read.</summary>
/// <param name="terminal">For the changes.</param>
/// <param name="interval">Between two reads.</param>
/// <param name="most">Number of changes after which it ends; null for no limit.</param>
/// <param name="end">Ends it.</param>
internal sealed class WatchLoop(Terminal terminal, TimeSpan interval, ulong? most, CancellationToken end)
{
    private readonly Stopwatch _time = new();
    private ulong _changes;

    private bool IsDone => _changes >= most;

    /// <summary>Watches bytes of a region.</summary>
    /// <returns>Number of changes.</returns>
    public ulong Watch(VfioUserClient client, uint region, ulong start, int length)
    {
        byte[] before = new byte[length];
        byte[] now = new byte[length];
        RegionTransfer.Read(client, region, start, before);
        terminal.Out.WriteLine($"watching {length} bytes of {RegionName.Of(region)}");
        return Run(() =>
        {
            RegionTransfer.Read(client, region, start, now);
            for (int i = 0; i < length && !IsDone; i++)
            {
                if (before[i] != now[i])
                    Report($"0x{start + (uint)i:x4}", $"{before[i]:x2}", $"{now[i]:x2}");
            }
            (before, now) = (now, before);
        });
    }

    /// <summary>Watches a register, or a field of it.</summary>
    /// <returns>Number of changes.</returns>
    public ulong Watch(VfioUserClient client, RegisterTarget target)
    {
        ulong before = target.Read(client);
        terminal.Out.WriteLine($"watching {target.Name}, {target.Describe(before)}");
        return Run(() =>
        {
            ulong now = target.Read(client);
            if (target.Of(now) != target.Of(before))
                Report(target.Name, target.Describe(before), target.Describe(now));
            before = now;
        });
    }

    private ulong Run(Action poll)
    {
        _time.Start();
        while (!IsDone && !end.WaitHandle.WaitOne(interval))
        {
            try
            {
                poll();
            }
            catch (OperationCanceledException)
            {
                break;
            }
        }
        return _changes;
    }

    private void Report(string target, string before, string now)
    {
        _changes++;
        terminal.Out.WriteLine($"{_time.Elapsed.TotalSeconds,10:f3}  {target}  {terminal.Gray(before)} -> {terminal.Bold(now)}");
    }
}
