using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>The last commands that failed. NVMe 1.4 5.14.1.1.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class ErrorLog
{
    public const int Entries = 64;

    // "the error is not specific to a parameter of the command"
    private const ushort NoParameter = 0xFFFF;

    private readonly Lock _lock = new();
    private readonly ErrorLogEntry[] _entries = new ErrorLogEntry[Entries];
    private ulong _count;

    /// <summary>Errors since the controller was made.</summary>
    public ulong Count => Volatile.Read(ref _count);

    public void Add(ushort sqId, in Command command, Status status, ulong lba = 0)
    {
        lock (_lock)
        {
            ulong count = _count + 1;
            _entries[count % Entries] = new ErrorLogEntry(
                count, sqId, command.Id, (ushort)(status.Field() << 1), NoParameter, lba, command.Nsid, 0);
            Volatile.Write(ref _count, count);
        }
    }

    /// <summary>The entries, the oldest first.</summary>
    public ErrorLogEntry[] Saved
    {
        get
        {
            lock (_lock)
            {
                ulong length = Math.Min(_count, Entries);
                ErrorLogEntry[] saved = new ErrorLogEntry[length];
                for (ulong i = 0; i < length; i++)
                    saved[i] = _entries[(_count - length + 1 + i) % Entries];
                return saved;
            }
        }
    }

    /// <summary>Goes on with entries of another controller.</summary>
    /// <param name="entries">At most as many as there is room for.</param>
    /// <param name="count">How many there ever were.</param>
    public void Restore(ReadOnlySpan<ErrorLogEntry> entries, ulong count)
    {
        lock (_lock)
        {
            Array.Clear(_entries);
            for (int i = 0; i < entries.Length; i++)
                _entries[(count - (ulong)(entries.Length - 1 - i)) % Entries] = entries[i];
            Volatile.Write(ref _count, count);
        }
    }

    /// <summary>Writes the log page: the newest entry first.</summary>
    public void Write(Span<byte> page)
    {
        lock (_lock)
        {
            for (ulong i = 0; i < Math.Min(_count, Entries); i++)
                MemoryMarshal.Write(page[((int)i * ErrorLogEntry.EntrySize)..], in _entries[(_count - i) % Entries]);
        }
    }
}
