using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Regions;

/// <summary>Reads again and again, and prints what has changed since the read before.</summary>
/// <param name="terminal">For the changes.</param>
/// <param name="interval">Between two reads.</param>
/// <param name="most">Changes after which it ends; null for no limit.</param>
/// <param name="end">Ends it.</param>
internal sealed class WatchLoop(Terminal terminal, TimeSpan interval, ulong? most, CancellationToken end)
{
    private readonly Stopwatch _time = new();
    private ulong _changes;

    private bool IsDone => _changes >= most;

    /// <summary>Watches bytes of a region.</summary>
    /// <returns>How many changes there were.</returns>
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
                    Tell($"0x{start + (uint)i:x4}", $"{before[i]:x2}", $"{now[i]:x2}");
            }
            (before, now) = (now, before);
        });
    }

    /// <summary>Watches a register, or a field of it.</summary>
    /// <returns>How many changes there were.</returns>
    public ulong Watch(VfioUserClient client, RegisterPlace place)
    {
        ulong before = place.Read(client);
        terminal.Out.WriteLine($"watching {place.Name}, {place.Describe(before)}");
        return Run(() =>
        {
            ulong now = place.Read(client);
            if (place.Of(now) != place.Of(before))
                Tell(place.Name, place.Describe(before), place.Describe(now));
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

    private void Tell(string place, string before, string now)
    {
        _changes++;
        terminal.Out.WriteLine($"{_time.Elapsed.TotalSeconds,10:f3}  {place}  {terminal.Gray(before)} -> {terminal.Bold(now)}");
    }
}
