namespace VfioUser.Disks;

/// <summary>Which connection's server has answered writes that it need not have made durable.</summary>
/// <remarks>Under the client's lock. Connections are numbered; what one has answered is lost with its server, if that had it in its own
/// memory. What has no answer is sent again, and is the next one's.</remarks>
internal struct NbdUnflushedWrites
{
    private int? _since; // the oldest connection with any
    private int? _flushing; // as it was when the flush began: what is answered later is not the flush's

    /// <summary>Whether a flush was answered that cannot have covered all.</summary>
    public bool AreLost { get; private set; }

    /// <summary>A write is answered that a power loss may undo.</summary>
    public void Add(int connection) => _since ??= connection;

    /// <summary>A flush begins, one at a time.</summary>
    public void BeginFlush() => (_flushing, _since) = (_since, null);

    /// <summary>The flush is answered.</summary>
    public void EndFlush(int connection) => AreLost |= _flushing is { } since && since != connection;
}
