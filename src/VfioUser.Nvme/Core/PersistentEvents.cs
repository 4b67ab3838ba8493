using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>What the persistent event log has: events with their headers, the newest first. NVMe 2.0 5.16.1.14.</summary>
/// <remarks>Any thread. The oldest ones go when there is no room for more.</remarks>
internal sealed class PersistentEvents
{
    /// <summary>Most bytes of events.</summary>
    public const int MaxLength = 32 << 10;

    /// <summary>Of an event's header, in bytes.</summary>
    public const int HeaderLength = 24;

    private readonly Lock _lock = new();
    private readonly LinkedList<byte[]> _events = new();
    private int _length;
    private ushort _generation;

    /// <summary>All events with their headers, one after the other, and how many they are.</summary>
    public (byte[] Bytes, int Count, ushort Generation) Snapshot
    {
        get
        {
            lock (_lock)
                return ([.. _events.SelectMany(bytes => bytes)], _events.Count, _generation);
        }
    }

    /// <summary>Adds an event.</summary>
    /// <param name="type">Its kind.</param>
    /// <param name="controller">Where it happened.</param>
    /// <param name="timestamp">When, as the Timestamp feature has it.</param>
    /// <param name="data">As the kind has it.</param>
    public void Add(PersistentEventType type, ushort controller, ulong timestamp, ReadOnlySpan<byte> data)
    {
        byte[] entry = new byte[HeaderLength + data.Length];
        entry[0] = (byte)type;
        entry[1] = 1; // revision
        entry[2] = HeaderLength - 3; // what follows this field
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(4), controller);
        BinaryPrimitives.WriteUInt64LittleEndian(entry.AsSpan(6), timestamp);
        BinaryPrimitives.WriteUInt16LittleEndian(entry.AsSpan(22), (ushort)data.Length);
        data.CopyTo(entry.AsSpan(HeaderLength));
        lock (_lock)
        {
            _events.AddFirst(entry);
            _length += entry.Length;
            _generation++;
            for (; _length > MaxLength; _events.RemoveLast())
                _length -= _events.Last!.Value.Length;
        }
    }

    /// <summary>Goes on with what was saved.</summary>
    /// <returns>False if it is no such log: then nothing is changed.</returns>
    public bool TryRestore(ReadOnlySpan<byte> saved)
    {
        List<byte[]> events = [];
        int length = saved.Length;
        if (length > MaxLength)
            return false;
        while (!saved.IsEmpty)
        {
            if (saved.Length < HeaderLength || saved[2] != HeaderLength - 3)
                return false;
            int one = HeaderLength + BinaryPrimitives.ReadUInt16LittleEndian(saved[22..]);
            if (one > saved.Length)
                return false;
            events.Add(saved[..one].ToArray());
            saved = saved[one..];
        }
        lock (_lock)
        {
            _events.Clear();
            foreach (byte[] entry in events)
                _events.AddLast(entry);
            _length = length;
            _generation++;
        }
        return true;
    }
}

/// <summary>Kinds of events. NVMe 2.0 figure 224.</summary>
internal enum PersistentEventType : byte
{
    SmartSnapshot = 0x01,
    TimestampChange = 0x03,
    PowerOnOrReset = 0x04,
    FormatStart = 0x07,
    FormatCompletion = 0x08,
    SetFeature = 0x0B,
}
