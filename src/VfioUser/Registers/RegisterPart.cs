using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A register without its type: up to eight bytes, little-endian.</summary>
internal abstract class RegisterPart(long start, RegisterLayout layout, string name, bool hasWriteHandler) : NamedPart(start, layout, name)
{
    private ulong _value = layout.ResetValue;
    private ulong _pieces; // with WaitForAllBytes: ones in the bytes that were written, until all are
    private ulong _before; // the value before the first of them

    public override bool HasWriteHandler => hasWriteHandler;

    public override ulong Value
    {
        get => Stored;
        set => Volatile.Write(ref _value, value);
    }

    // as Value, without a virtual call
    private ulong Stored => Volatile.Read(ref _value);

    /// <summary>Reports ones that a guest writes to reserved bits, and writes that do nothing.</summary>
    public UnmodelledAccesses? Unmodelled { get; init; }

    public void SetBits(ulong bits) => Interlocked.Or(ref _value, bits);

    public void ClearBits(ulong bits) => Interlocked.And(ref _value, ~bits);

    public override ulong Update(ulong mask, ulong value)
    {
        while (true)
        {
            ulong old = Stored;
            if (Interlocked.CompareExchange(ref _value, (old & ~mask) | (value & mask), old) == old)
                return old;
        }
    }

    /// <summary>Adds in one step.</summary>
    /// <returns>What the register held before.</returns>
    public ulong Add(ulong value, bool saturates)
    {
        while (true)
        {
            ulong old = Stored;
            ulong sum = old + value;
            bool overflows = sum < old || sum > Layout.All;
            ulong next = overflows && saturates ? Layout.All : sum & Layout.All;
            if (Interlocked.CompareExchange(ref _value, next, old) == old)
                return old;
        }
    }

    public override void Read(long offset, Span<byte> destination)
    {
        ulong clears = Layout.ReadToClear;
        ulong stored = clears == 0
            ? Stored
            : Interlocked.And(ref _value, ~(clears & (RegisterBits.OfBytes(destination.Length) << (8 * (int)offset))));
        Store(Seen(stored) & ~Layout.ReadsZero, offset, destination);
    }

    /// <summary>What a read of all of it gives, without clearing anything.</summary>
    public ulong Peek() => Seen(Value);

    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        ulong written = Load(source);
        ulong lanes = RegisterBits.OfBytes(source.Length) << (8 * (int)offset);
        written <<= 8 * (int)offset;
        if ((written & Layout.Reserved) != 0)
            Unmodelled?.ReservedBits(this, written & Layout.Reserved);
        if (Layout.TakesWrites || hasWriteHandler)
            Merge(Layout, written, lanes);
        else
            Unmodelled?.ReadOnly(this);
    }

    public override void Reset() => ResetWith(keepSticky: false);

    public override void ResetWith(bool keepSticky)
    {
        Update(keepSticky ? ~Layout.Sticky : ulong.MaxValue, Layout.ResetValue);
        _pieces = 0;
    }

    // a migration may occur between the two halves of a write
    public override int StateSize => Layout.Migration == RegisterMigration.Skip ? 0 : Layout.WaitForAllBytes ? 3 * sizeof(ulong) : sizeof(ulong);

    public override void SaveState(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Stored);
        if (!Layout.WaitForAllBytes)
            return;
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], _pieces);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], _before);
    }

    // masked, since the source is untrusted: no bit outside of the register must be set
    public override void RestoreState(ReadOnlySpan<byte> source)
    {
        Value = BinaryPrimitives.ReadUInt64LittleEndian(source) & Layout.All;
        if (!Layout.WaitForAllBytes)
            return;
        _pieces = BinaryPrimitives.ReadUInt64LittleEndian(source[8..]) & Layout.All;
        if (_pieces == Layout.All)
            _pieces = 0;
        _before = BinaryPrimitives.ReadUInt64LittleEndian(source[16..]) & Layout.All;
    }

    /// <summary>Writes bits as the guest, with the access of the register itself or of a view of it.</summary>
    public void Merge(RegisterLayout access, ulong written, ulong lanes)
    {
        ulong old;
        ulong next;
        do
        {
            old = Stored;
            next = (old & ~(access.Writable & lanes)) | (written & access.Writable & lanes);
            next = (next & ~(written & access.OneToClear)) | (written & access.OneToSet);
            // write-only bits keep nothing: bytes that this access does not write are zero
            if (access == Layout && !access.WaitForAllBytes)
                next &= ~(access.ReadsZero & ~lanes);
        }
        while (Interlocked.CompareExchange(ref _value, next & ~access.SelfClearing, old) != old);
        if (!hasWriteHandler)
            return;
        if (!access.WaitForAllBytes)
            Written(old, next, written, lanes);
        else if (IsComplete(old, lanes))
            Written(_before, next, next, ulong.MaxValue);
    }

    /// <summary>The value that the guest reads for a stored one.</summary>
    protected abstract ulong Seen(ulong stored);

    /// <summary>The guest wrote.</summary>
    protected abstract void Written(ulong old, ulong @new, ulong written, ulong lanes);

    /// <summary>Replaces the value of a register without special bits. A plain store, since no bit of the old one can be lost: most writes,
    /// and all writes of doorbells.</summary>
    /// <returns>The value before the first of the pieces that this write completes.</returns>
    protected ulong Replace(ulong written)
    {
        ulong old = Stored;
        if (_pieces != 0)
        {
            old = _before;
            _pieces = 0;
        }
        Volatile.Write(ref _value, written);
        return old;
    }

    private bool IsComplete(ulong old, ulong lanes)
    {
        if (_pieces == 0)
            _before = old;
        _pieces |= lanes;
        if (_pieces != Layout.All)
            return false;
        _pieces = 0;
        return true;
    }
}
