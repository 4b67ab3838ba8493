using System.Buffers.Binary;
using System.Security.Cryptography;

namespace VfioUser.Nvme;

/// <summary>A file that keeps the reservations of a namespace while there is no program.</summary>
/// <remarks>
/// Two slots, written in turn, so that one is whole whenever the power goes:
/// <code>
/// SHA-256 of the rest of the slot | magic, u64 | sequence number, u64 | UUID of the namespace | length, i32 | state
/// </code>
/// Each write looks first at what is there: another host may have written since.
/// </remarks>
internal sealed class ReservationFile(string path, Guid uuid)
{
    private const ulong Magic = 0x3156_5352_4655_5656; // "VVUFRSV1"
    private const int SlotLength = 8192;
    private const int HashLength = 32;
    private const int UuidAt = HashLength + 16;
    private const int LengthAt = UuidAt + 16;
    private const int StateAt = LengthAt + sizeof(int);

    /// <summary>What is kept; null if nothing is.</summary>
    /// <exception cref="IOException">The file cannot be read, or is something else.</exception>
    public ReservationState? Load()
    {
        if (!File.Exists(path))
            return null;
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        if (file.Length == 0)
            return null;
        return Newest(file, out _)?.State ?? throw new IOException($"{path} has no reservations of namespace {uuid}.");
    }

    /// <summary>Keeps a state. It is durable when the call returns.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Save(ReservationState state)
    {
        // what does not outlast the program is only to replace what did
        if (!state.IsPersistent)
        {
            if (!File.Exists(path))
                return;
            state = new ReservationState { Incarnation = state.Incarnation, Version = state.Version, Generation = state.Generation };
        }
        using FileStream file = new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
        Slot? newest = Newest(file, out int index);
        if (newest is null && file.Length != 0)
            throw new IOException($"{path} has no reservations of namespace {uuid}.");
        byte[] slot = new byte[SlotLength];
        byte[] bytes = SavedReservations.Write(state);
        BinaryPrimitives.WriteUInt64LittleEndian(slot.AsSpan(HashLength), Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(slot.AsSpan(HashLength + 8), (newest?.Sequence ?? 0) + 1);
        uuid.TryWriteBytes(slot.AsSpan(UuidAt));
        BinaryPrimitives.WriteInt32LittleEndian(slot.AsSpan(LengthAt), bytes.Length);
        bytes.CopyTo(slot, StateAt);
        SHA256.HashData(slot.AsSpan(HashLength), slot);
        file.Position = newest is null ? 0 : (1 - index) * SlotLength;
        file.Write(slot);
        file.Flush(flushToDisk: true);
    }

    private Slot? Newest(FileStream file, out int index)
    {
        Slot? newest = null;
        index = 0;
        byte[] slot = new byte[SlotLength];
        for (int i = 0; i < 2; i++)
        {
            file.Position = i * SlotLength;
            if (file.ReadAtLeast(slot, SlotLength, throwOnEndOfStream: false) == SlotLength && Read(slot) is { } read && read.Sequence > (newest?.Sequence ?? 0))
                (newest, index) = (read, i);
        }
        return newest;
    }

    private Slot? Read(ReadOnlySpan<byte> slot)
    {
        Span<byte> hash = stackalloc byte[HashLength];
        SHA256.HashData(slot[HashLength..], hash);
        int length = BinaryPrimitives.ReadInt32LittleEndian(slot[LengthAt..]);
        if (!hash.SequenceEqual(slot[..HashLength]) || BinaryPrimitives.ReadUInt64LittleEndian(slot[HashLength..]) != Magic
            || new Guid(slot.Slice(UuidAt, 16)) != uuid || length < 0 || length > SlotLength - StateAt
            || SavedReservations.Read(slot.Slice(StateAt, length)) is not { } state)
        {
            return null;
        }
        return new Slot(BinaryPrimitives.ReadUInt64LittleEndian(slot[(HashLength + 8)..]), state);
    }

    private sealed record Slot(ulong Sequence, ReservationState State);
}
