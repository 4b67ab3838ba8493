using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A register without its type: up to eight bytes, little-endian.</summary>
internal sealed class RegisterPart(
    ulong start, int width, Access access, ulong resetValue, ulong writeMask, Func<ulong>? onRead, Action<ulong>? onWrite)
    : RegionPart(start, (ulong)width)
{
    private readonly ulong _resetValue = resetValue;
    // the guest may change every bit, as most registers have it
    private readonly bool _isPlain = access == Access.ReadWrite && (writeMask & BitsOf(width)) == BitsOf(width);
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
        if (_isPlain && source.Length == width)
        {
            // nothing of the old value is left, so nothing can be lost
            ulong value = Load(source);
            Value = value;
            onWrite?.Invoke(value);
            return;
        }
        ulong written = Load(source) << (8 * (int)offset);
        ulong mask = writeMask & (BitsOf(source.Length) << (8 * (int)offset));
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

    public override int StateSize => sizeof(ulong);

    public override void SaveState(Span<byte> destination) => BinaryPrimitives.WriteUInt64LittleEndian(destination, Value);

    // the value must be one of the register's: the source may be a liar
    public override void RestoreState(ReadOnlySpan<byte> source) =>
        Value = BinaryPrimitives.ReadUInt64LittleEndian(source) & BitsOf(width);

    private static ulong BitsOf(int bytes) => ulong.MaxValue >> (64 - 8 * bytes);

    private static ulong Load(ReadOnlySpan<byte> source)
    {
        switch (source.Length)
        {
            case sizeof(ulong): return BinaryPrimitives.ReadUInt64LittleEndian(source);
            case sizeof(uint): return BinaryPrimitives.ReadUInt32LittleEndian(source);
        }
        ulong value = 0;
        for (int i = source.Length - 1; i >= 0; i--)
            value = value << 8 | source[i];
        return value;
    }

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
