namespace VfioUser.Disks;

/// <summary>Options for a disk behind an NBD server. Immutable.</summary>
public sealed record NbdDiskOptions
{
    /// <summary>How long connecting and negotiation may take, each time.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long to wait before the second attempt to connect again; later ones wait longer, up to fifty times as long.</summary>
    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>After how long without a connection all requests fail, then and later: the guest gets I/O errors. By default never: the
    /// guest waits, and goes on when the server is back.</summary>
    public TimeSpan GiveUpAfter { get; init; } = Timeout.InfiniteTimeSpan;

    /// <summary>Whether a server that comes back may have lost writes that it had answered and not flushed, as one does that had them in
    /// its own memory, or whose machine has failed: then the next flush fails, if there were any. A server whose process alone was
    /// restarted, and which wrote to a file, has lost nothing.</summary>
    public bool ServerMayLoseWrites { get; init; }

    /// <summary>Whether the guest may not write, even if the server would let it.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Called with one line when the connection is lost, and when it is back. Any thread.</summary>
    public Action<string>? Log { get; init; }
}
