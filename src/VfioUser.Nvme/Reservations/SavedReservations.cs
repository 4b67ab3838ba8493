using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Reservations of a namespace as bytes: in a file, and in the migration stream. Untrusted when read.</summary>
internal static class SavedReservations
{
    /// <summary>The longest state, in bytes.</summary>
    public static int MaxLength { get; } = Marshal.SizeOf<Header>() + ReservationState.MaxRegistrants * Marshal.SizeOf<Entry>();

    public static byte[] Write(ReservationState state)
    {
        int holder = -1;
        Entry[] entries = new Entry[state.Registrants.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            (HostIdentifier host, ulong key) = state.Registrants[i];
            entries[i] = new Entry((ulong)host.Value, (ulong)(host.Value >> 64), key, host.IsExtended ? 1u : 0, 0);
            if (host == state.Holder)
                holder = i;
        }
        Header header = new(state.Incarnation, state.Version, state.Generation, (byte)state.Type, (byte)(state.IsPersistent ? 1 : 0), 0, holder, entries.Length);
        return [.. MemoryMarshal.AsBytes(new ReadOnlySpan<Header>(in header)), .. MemoryMarshal.AsBytes<Entry>(entries)];
    }

    /// <returns>Null if it is no such state.</returns>
    public static ReservationState? Read(ReadOnlySpan<byte> saved)
    {
        if (saved.Length < Marshal.SizeOf<Header>())
            return null;
        Header header = MemoryMarshal.Read<Header>(saved);
        saved = saved[Marshal.SizeOf<Header>()..];
        if (header.Count is < 0 or > ReservationState.MaxRegistrants || saved.Length != header.Count * Marshal.SizeOf<Entry>())
            return null;
        List<Registrant> registrants = [];
        foreach (ref readonly Entry entry in MemoryMarshal.Cast<byte, Entry>(saved))
        {
            HostIdentifier host = new(new UInt128(entry.HostHigh, entry.HostLow), entry.IsExtended != 0);
            if (host.Value == 0 || entry.Key == 0 || (!host.IsExtended && entry.HostHigh != 0) || registrants.Exists(other => other.Host == host))
                return null;
            registrants.Add(new Registrant(host, entry.Key));
        }
        ReservationType type = (ReservationType)header.Type;
        bool hasHolder = type != ReservationType.None && !type.IsOfAllRegistrants();
        if ((type != ReservationType.None && !type.IsValid()) || (type != ReservationType.None && registrants.Count == 0)
            || hasHolder != (header.Holder >= 0) || header.Holder >= registrants.Count)
        {
            return null;
        }
        return new ReservationState
        {
            Incarnation = header.Incarnation,
            Version = header.Version,
            Generation = header.Generation,
            Type = type,
            Holder = hasHolder ? registrants[header.Holder].Host : null,
            Registrants = [.. registrants],
            IsPersistent = header.IsPersistent != 0,
        };
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Header(Guid Incarnation, ulong Version, uint Generation, byte Type, byte IsPersistent, ushort Reserved, int Holder, int Count);

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private readonly record struct Entry(ulong HostLow, ulong HostHigh, ulong Key, uint IsExtended, uint Reserved);
}
