namespace VfioUser;

/// <summary>Adjacent bits of a register that mean something together.</summary>
/// <typeparam name="TValue">A boolean, an unsigned integer or an enumeration.</typeparam>
/// <remarks>Any thread. Made by <see cref="Register{T}.AddField"/> and <see cref="Register{T}.AddFlag"/>.</remarks>
public sealed class RegisterField<TValue>
    where TValue : unmanaged
{
    private readonly RegisterPart _part;
    private readonly int _bit;
    private readonly int _width;

    internal RegisterField(RegisterPart part, int bit, int width)
    {
        _part = part;
        _bit = bit;
        _width = width;
        Mask = ulong.MaxValue >> (64 - width) << bit;
    }

    /// <summary>Its bits in the register, read and replaced atomically: no other bit is lost, whatever other threads and the guest
    /// do meanwhile, and no thread reads a part of a change.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It does not fit into the field.</exception>
    public TValue Value
    {
        get => In(_part.Value);
        set
        {
            ulong bits = RegisterBits.Of(value);
            if (bits > Mask >> _bit)
                throw new ArgumentOutOfRangeException(nameof(value), value, $"The field has {_width} bits, and 0x{bits:x} does not fit.");
            _part.Update(Mask, bits << _bit);
        }
    }

    internal ulong Mask { get; }

    internal TValue In(ulong register) => RegisterBits.FieldFrom<TValue>((register & Mask) >> _bit);
}
