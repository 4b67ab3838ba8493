using System.Buffers.Binary;
using System.Numerics;

namespace VfioUser.Virtio;

/// <summary>How frames are hashed and, by a table of the driver's, spread over its queues. Immutable.</summary>
/// <remarks>VIRTIO 1.3 5.1.6.5.6.4 "Hash calculation", 5.1.6.5.7 "Receive-side scaling (RSS)".</remarks>
internal sealed class RssSettings
{
    public const int MaxTable = 128;

    /// <summary>Of what a driver sets, in bytes: types, mask, unclassified queue, table, transmit queues, length of the key, key.</summary>
    public const int MaxLength = TableOffset + (MaxTable + 1) * sizeof(ushort) + 1 + ToeplitzHash.MaxKeyLength;

    private const int TableOffset = 8;
    private const int ReservedLength = 8;

    private readonly HashTypes _types;
    private readonly ToeplitzHash _hash;
    private readonly ushort[] _table = [];
    private readonly int _unclassified;

    private RssSettings(byte[] settings, HashTypes types, ToeplitzHash hash) => (Settings, _types, _hash) = (settings, types, hash);

    private RssSettings(byte[] settings, HashTypes types, ToeplitzHash hash, ushort[] table, int unclassified, int transmitQueues)
        : this(settings, types, hash) =>
        (_table, _unclassified, TransmitQueues) = (table, unclassified, transmitQueues);

    /// <summary>As the driver has set it.</summary>
    public byte[] Settings { get; }

    /// <summary>Whether there is a table.</summary>
    public bool HasTable => _table.Length > 0;

    /// <summary>How many the driver uses, if there is a table.</summary>
    public int TransmitQueues { get; }

    /// <summary>The hashes without the table.</summary>
    public RssSettings WithoutTable()
    {
        int key = TableOffset + (_table.Length + 1) * sizeof(ushort);
        return HasTable ? new RssSettings([.. Settings[..sizeof(uint)], .. new byte[ReservedLength], .. Settings[key..]], _types, _hash) : this;
    }

    /// <summary>Checks what a driver sets for reports only.</summary>
    /// <returns>Null if no driver may set it.</returns>
    public static RssSettings? Hashes(ReadOnlySpan<byte> settings)
    {
        const int keyOffset = sizeof(uint) + ReservedLength;
        return settings.Length > keyOffset && TryReadHash(settings, settings[keyOffset..], out HashTypes types, out ReadOnlySpan<byte> key)
            ? new RssSettings(settings[..(keyOffset + 1 + key.Length)].ToArray(), types, new ToeplitzHash(key)) : null;
    }

    /// <summary>Checks what a driver sets.</summary>
    /// <param name="settings">Not checked.</param>
    /// <param name="pairs">Of queues.</param>
    /// <returns>Null if no driver may set it.</returns>
    public static RssSettings? WithTable(ReadOnlySpan<byte> settings, int pairs)
    {
        if (settings.Length < TableOffset)
            return null;
        int count = BinaryPrimitives.ReadUInt16LittleEndian(settings[4..]) + 1;
        int unclassified = BinaryPrimitives.ReadUInt16LittleEndian(settings[6..]);
        int end = TableOffset + count * sizeof(ushort);
        if (!BitOperations.IsPow2(count) || count > MaxTable || unclassified >= pairs || settings.Length <= end + sizeof(ushort)
            || !TryReadHash(settings, settings[(end + sizeof(ushort))..], out HashTypes types, out ReadOnlySpan<byte> key))
        {
            return null;
        }
        ushort[] table = new ushort[count];
        for (int i = 0; i < count; i++)
        {
            table[i] = BinaryPrimitives.ReadUInt16LittleEndian(settings[(TableOffset + i * sizeof(ushort))..]);
            if (table[i] >= pairs)
                return null;
        }
        int transmitQueues = BinaryPrimitives.ReadUInt16LittleEndian(settings[end..]);
        return transmitQueues >= 1 && transmitQueues <= pairs
            ? new RssSettings(settings[..(end + sizeof(ushort) + 1 + key.Length)].ToArray(), types, new ToeplitzHash(key), table, unclassified, transmitQueues)
            : null;
    }

    /// <summary>Hashes a frame.</summary>
    /// <param name="head">Its headers.</param>
    /// <param name="hash">0 if none is asked for.</param>
    /// <returns>Of what it is; one bit, or none.</returns>
    public HashTypes HashOf(ReadOnlySpan<byte> head, out uint hash)
    {
        hash = 0;
        if (!IpFlow.TryRead(head, out IpFlow flow))
            return HashTypes.None;
        HashTypes transport = flow.Ports.IsEmpty ? HashTypes.None
            : flow.IsTcp ? flow.IsIPv6 ? HashTypes.TcpIPv6 : HashTypes.TcpIPv4
            : flow.IsIPv6 ? HashTypes.UdpIPv6 : HashTypes.UdpIPv4;
        bool hashesPorts = (_types & transport) != 0;
        HashTypes type = hashesPorts ? transport : _types & (flow.IsIPv6 ? HashTypes.IPv6 : HashTypes.IPv4);
        if (type != HashTypes.None)
            hash = _hash.Of(flow.Addresses, hashesPorts ? flow.Ports : []);
        return type;
    }

    /// <summary>Which pair of queues a frame is for, if there is a table.</summary>
    public int PairFor(ReadOnlySpan<byte> head) =>
        HashOf(head, out uint hash) == HashTypes.None ? _unclassified : _table[hash & (uint)(_table.Length - 1)];

    // the key's length is before it; Linux 6.12 sends a byte behind it
    private static bool TryReadHash(ReadOnlySpan<byte> settings, ReadOnlySpan<byte> end, out HashTypes types, out ReadOnlySpan<byte> key)
    {
        types = (HashTypes)BinaryPrimitives.ReadUInt32LittleEndian(settings);
        key = end.Slice(1, Math.Min(end[0], end.Length - 1));
        return (types & ~HashTypes.Supported) == 0 && key.Length == end[0] && key.Length <= ToeplitzHash.MaxKeyLength
            && (types == HashTypes.None || key.Length > 0);
    }
}
