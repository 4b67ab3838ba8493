using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A register without its type: up to eight bytes, little-endian.</summary>
internal sealed class RegisterPart(
    ulong start, int width, Access access, ulong resetValue, ulong writeMask, Func<ulong>? onRead, Action<ulong>? onWrite)
    : RegionPart(start, (ulong)width)
{
    private readonly ulong _resetValue = resetValue;
    private ulong _value = resetValue;

    public ulong Value
    {
        get => Volatile.Read(ref _value);
        set => Volatile.Write(ref _value, value);
    }

    public void SetBits(ulong bits) => Interlocked.Or(ref _value, bits);

    public void ClearBits(ulong bits) => Interlocked.And(ref _value, ~bits);

    public override void Read(ulong offset, Span<byte> destination)
    {
        if (onRead is not null)
            Value = onRead();
        ulong value = access == Access.WriteOnly ? 0 : Value;
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.Slice((int)offset, destination.Length).CopyTo(destination);
    }

    public override void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        bytes.Clear();
        source.CopyTo(bytes[(int)offset..]);
        ulong written = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        ulong touched = (source.Length == sizeof(ulong) ? ulong.MaxValue : (1UL << (8 * source.Length)) - 1) << (8 * (int)offset);
        ulong mask = touched & writeMask;
        switch (access)
        {
            case Access.ReadWrite:
                ulong merged = Merge(mask, written);
                onWrite?.Invoke(merged);
                break;
            case Access.WriteOneToClear:
                ClearBits(written & mask);
                onWrite?.Invoke(written & mask);
                break;
            case Access.WriteOnly:
                onWrite?.Invoke(written & mask);
                break;
            case Access.ReadOnly:
                break;
        }
    }

    public override void Reset() => Value = _resetValue;

    private ulong Merge(ulong mask, ulong written)
    {
        while (true)
        {
            ulong old = Value;
            ulong merged = (old & ~mask) | (written & mask);
            if (Interlocked.CompareExchange(ref _value, merged, old) == old)
                return merged;
        }
    }
}
