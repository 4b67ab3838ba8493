namespace VfioUser;

/// <summary>A guest's write to a register: what it was, what it is, and what was written. Immutable.</summary>
/// <typeparam name="T">The register's width.</typeparam>
public readonly struct RegisterWrite<T>
    where T : unmanaged
{
    private readonly ulong _old;
    private readonly ulong _new;
    private readonly ulong _written;
    private readonly ulong _lanes;

    internal RegisterWrite(ulong old, ulong @new, ulong written, ulong lanes) => (_old, _new, _written, _lanes) = (old, @new, written, lanes);

    /// <summary>What the register held before.</summary>
    public T Old => RegisterBits.From<T>(_old);

    /// <summary>What it holds now, with the self-clearing bits that were written; of a <see cref="RegisterAccess.WriteOnly"/> one what was
    /// written.</summary>
    public T New => RegisterBits.From<T>(_new);

    /// <summary>The bytes of the access as they came, whatever the guest may change; zero where none came.</summary>
    public T Written => RegisterBits.From<T>(_written);

    /// <summary>Ones in the bytes that were written.</summary>
    public T Lanes => RegisterBits.From<T>(_lanes);

    /// <summary>Whether any of the bits was 0 and is 1 now.</summary>
    public bool Sets(T bits) => (_new & ~_old & RegisterBits.Of(bits)) != 0;

    /// <summary>Whether any of the bits was 1 and is 0 now.</summary>
    public bool Clears(T bits) => (_old & ~_new & RegisterBits.Of(bits)) != 0;

    /// <summary>Whether any of the bits has another value now.</summary>
    public bool Changes(T bits) => ((_old ^ _new) & RegisterBits.Of(bits)) != 0;

    /// <summary>Whether a one was written to any of the bits, whatever it did.</summary>
    public bool Has(T bits) => (_written & RegisterBits.Of(bits)) != 0;

    /// <summary>Whether a flag was 0 and is 1 now.</summary>
    public bool Sets(RegisterField<bool> flag) => (_new & ~_old & flag.Mask) != 0;

    /// <summary>Whether a flag was 1 and is 0 now.</summary>
    public bool Clears(RegisterField<bool> flag) => (_old & ~_new & flag.Mask) != 0;

    /// <summary>Whether a field has another value now.</summary>
    public bool Changes<TValue>(RegisterField<TValue> field)
        where TValue : unmanaged => ((_old ^ _new) & field.Mask) != 0;

    /// <summary>A field of <see cref="New"/>.</summary>
    public TValue Get<TValue>(RegisterField<TValue> field)
        where TValue : unmanaged => field.In(_new);
}
