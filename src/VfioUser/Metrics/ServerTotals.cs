using System.Collections.Concurrent;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Counts of a server that do not depend on a listener, for inspectors.</summary>
/// <remarks>Any thread; handled commands only by the Command thread. A counted command that succeeds allocates nothing. Bounded: what a client
/// sends selects among commands and errnos that there are.</remarks>
/// <param name="commandNumbers">How many numbers of commands are told apart.</param>
internal sealed class ServerTotals(int commandNumbers)
{
    private readonly CommandTotal[] _commands = new CommandTotal[commandNumbers];
    private readonly ConcurrentDictionary<(int Number, Errno Errno), long> _refused = new();
    private readonly ConcurrentDictionary<string, long> _errors = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<DeviceCallback, long> _exceptions = new();
    private long _sessions;

    private struct CommandTotal
    {
        public long Served;
        public long Ticks; // of refused ones, too
        public long LongestTicks;
    }

    public void SessionBegan() => Interlocked.Increment(ref _sessions);

    /// <summary>A command was handled, or refused. Command thread.</summary>
    public void Handled(int number, Errno errno, TimeSpan took)
    {
        // one thread writes, so plain additions lose nothing
        ref CommandTotal total = ref _commands[number];
        Volatile.Write(ref total.Ticks, total.Ticks + took.Ticks);
        if (took.Ticks > total.LongestTicks)
            Volatile.Write(ref total.LongestTicks, took.Ticks);
        if (errno == Errno.None)
            Volatile.Write(ref total.Served, total.Served + 1);
        else
            _refused.AddOrUpdate((number, errno), 1, static (_, before) => before + 1);
    }

    public void Failed(string error) => _errors.AddOrUpdate(error, 1, static (_, before) => before + 1);

    public void DeviceThrew(DeviceCallback callback) => _exceptions.AddOrUpdate(callback, 1, static (_, before) => before + 1);

    /// <summary>All that is not 0.</summary>
    public IEnumerable<CountedTotal> All()
    {
        if (Interlocked.Read(ref _sessions) is > 0 and var sessions)
            yield return new CountedTotal("vfio_user.sessions", sessions);
        for (int number = 0; number < _commands.Length; number++)
        {
            (string, string) command = (MetricTags.Command, MetricTags.NameOf((Command)number));
            if (Volatile.Read(ref _commands[number].Served) is > 0 and var served)
                yield return new CountedTotal("vfio_user.commands", served, command);
            if (Volatile.Read(ref _commands[number].LongestTicks) is > 0 and var longest)
            {
                yield return new CountedTotal("vfio_user.command.duration.sum", TimeSpan.FromTicks(Volatile.Read(ref _commands[number].Ticks)).TotalSeconds, command);
                yield return new CountedTotal("vfio_user.command.duration.max", TimeSpan.FromTicks(longest).TotalSeconds, command);
            }
        }
        foreach (((int number, Errno errno), long count) in _refused)
            yield return new CountedTotal("vfio_user.commands", count, (MetricTags.Command, MetricTags.NameOf((Command)number)), (MetricTags.ErrorType, MetricTags.NameOf(errno)));
        foreach ((string error, long count) in _errors)
            yield return new CountedTotal("vfio_user.errors", count, (MetricTags.ErrorType, error));
        foreach ((DeviceCallback callback, long count) in _exceptions)
            yield return new CountedTotal("vfio_user.device.exceptions", count, (MetricTags.Callback, MetricTags.NameOf(callback)));
    }
}
