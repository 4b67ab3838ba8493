using System.Text;
using System.Text.RegularExpressions;

namespace VfioUser.Testing.Linux;

/// <summary>All that a guest has printed, and those who wait for something in it.</summary>
/// <remarks>Any thread; one at a time appends.</remarks>
internal sealed class SerialConsole
{
    private const string Panic = "Kernel panic";

    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();
    private readonly List<Waiter> _waiters = [];
    private readonly List<Action<string>> _followers = [];
    private string? _end;

    /// <summary>Everything so far.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
                return _text.ToString();
        }
    }

    /// <summary>Waits until <paramref name="pattern"/> matches what stands at <paramref name="from"/> or after it.</summary>
    /// <exception cref="IOException">QEMU or the guest has ended; the message has the last lines.</exception>
    /// <exception cref="TimeoutException">The time is up; likewise.</exception>
    public async Task<Match> WaitFor(string pattern, int from, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        // for one search, and not for the wait
        Regex regex = new(pattern, RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromMinutes(1));
        Waiter waiter = new(regex, from);
        lock (_lock)
        {
            if (!waiter.TryMatch(_text.ToString()) && !waiter.TryFail(_end is null ? null : Describe(pattern, _end)))
                _waiters.Add(waiter);
        }
        try
        {
            return await waiter.Found.Task.WaitAsync(timeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException(Describe(pattern, $"no match in {timeout.TotalSeconds} s"), exception);
        }
        finally
        {
            lock (_lock)
                _waiters.Remove(waiter);
        }
    }

    /// <summary>Calls back with each piece of text as it comes, before those who wait for it.</summary>
    /// <returns>Ends it.</returns>
    public IDisposable Follow(Action<string> follower)
    {
        lock (_lock)
            _followers.Add(follower);
        return new Following(this, follower);
    }

    public void Append(string text)
    {
        Action<string>[] followers;
        lock (_lock)
            followers = [.. _followers];
        foreach (Action<string> follower in followers)
            follower(text);

        bool panicked;
        lock (_lock)
        {
            // The port cuts the text anywhere, so the words may have begun in an earlier piece.
            int from = Math.Max(0, _text.Length - Panic.Length);
            _text.Append(text.Replace("\r", "", StringComparison.Ordinal));
            panicked = _text.ToString(from, _text.Length - from).Contains(Panic, StringComparison.Ordinal);
            if (_waiters.Count > 0)
            {
                string all = _text.ToString();
                _waiters.RemoveAll(waiter => waiter.TryMatch(all));
            }
        }
        if (panicked)
            End("the guest panicked");
    }

    /// <summary>Nothing more will come: fails all who wait, now and later.</summary>
    public void End(string why)
    {
        lock (_lock)
        {
            _end ??= why;
            _waiters.RemoveAll(waiter => waiter.TryFail(Describe(waiter.Pattern, _end)));
        }
    }

    private string Describe(string pattern, string why)
    {
        lock (_lock)
        {
            const int Tail = 3000;
            int start = Math.Max(0, _text.Length - Tail);
            return $"Waiting for /{pattern}/ on the console: {why}. Its last lines:\n{_text.ToString(start, _text.Length - start)}";
        }
    }

    private sealed class Following(SerialConsole console, Action<string> follower) : IDisposable
    {
        public void Dispose()
        {
            lock (console._lock)
                console._followers.Remove(follower);
        }
    }

    private sealed class Waiter(Regex regex, int from)
    {
        public string Pattern => regex.ToString();

        public TaskCompletionSource<Match> Found { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool TryMatch(string text) => regex.Match(text, from) is { Success: true } match && Found.TrySetResult(match);

        public bool TryFail(string? why) => why is not null && Found.TrySetException(new IOException(why));
    }
}
