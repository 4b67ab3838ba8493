namespace VfioUser;

/// <summary>A register of a region or of the configuration space: a value, and what the guest may do with each of its bits.</summary>
/// <typeparam name="T">Its width: <see cref="byte"/>, <see cref="ushort"/>, <see cref="uint"/> or <see cref="ulong"/>, or an
/// enumeration, whose members then name the bits.</typeparam>
/// <remarks>Any thread: the device may change it while the guest accesses it, and no bit is lost.</remarks>
public sealed class Register<T>
    where T : unmanaged
{
    internal Register(RegisterPart part) => Part = part;

    /// <summary>As it was declared, with the names of the blocks around it; without a name its offset.</summary>
    public string Name => Part.Name;

    /// <summary>First byte, relative to the region.</summary>
    public long Offset => Part.Start;

    /// <summary>What the register holds. The device may set any bit, whatever the guest may do.</summary>
    /// <remarks>To change some of the bits use <see cref="Update"/>, <see cref="SetBits"/> or <see cref="ClearBits"/>: between a
    /// read and a write of this the guest may change others.</remarks>
    public T Value
    {
        get => RegisterBits.From<T>(Part.Value);
        set => Part.Value = RegisterBits.Of(value);
    }

    internal RegisterPart Part { get; }

    /// <summary>Sets bits and leaves the others alone, whatever other threads and the guest do meanwhile.</summary>
    public void SetBits(T bits) => Part.SetBits(RegisterBits.Of(bits));

    /// <summary>Clears bits and leaves the others alone.</summary>
    public void ClearBits(T bits) => Part.ClearBits(RegisterBits.Of(bits));

    /// <summary>Replaces bits in one step, and leaves the others alone.</summary>
    /// <param name="mask">Which bits.</param>
    /// <param name="value">What they are then; other bits of it are ignored.</param>
    /// <returns>What the register held before.</returns>
    public T Update(T mask, T value) => RegisterBits.From<T>(Part.Update(RegisterBits.Of(mask), RegisterBits.Of(value)));

    /// <summary>Replaces the value.</summary>
    /// <returns>What the register held before.</returns>
    public T Exchange(T value) => RegisterBits.From<T>(Part.Update(ulong.MaxValue, RegisterBits.Of(value)));

    /// <summary>Adds to the value in one step: for a counter that any thread counts and the guest may clear meanwhile.</summary>
    /// <param name="value">What is added; beyond its width the counter begins again at 0.</param>
    /// <returns>What the register held before.</returns>
    public T Add(T value) => RegisterBits.From<T>(Part.Add(RegisterBits.Of(value), saturates: false));

    /// <summary>As <see cref="Add"/>, but a counter that cannot hold the sum stays at its largest value.</summary>
    /// <inheritdoc cref="Add"/>
    public T AddSaturating(T value) => RegisterBits.From<T>(Part.Add(RegisterBits.Of(value), saturates: true));

    /// <summary>Gives it its reset value, except for the sticky bits.</summary>
    public void Reset() => Part.ResetWith(keepSticky: true);

    /// <summary>Names one bit.</summary>
    /// <inheritdoc cref="AddField{TValue}"/>
    public RegisterField<bool> AddFlag(int bit, string name, RegisterAccess? access = null) => AddField<bool>(bit, 1, name, access);

    /// <summary>Names adjacent bits that mean something together.</summary>
    /// <typeparam name="TValue">A boolean, an unsigned integer or an enumeration that has as many bits at least.</typeparam>
    /// <param name="bit">The lowest one, from 0.</param>
    /// <param name="width">How many, from 1.</param>
    /// <param name="name">As the data sheet calls it; unique in the register.</param>
    /// <param name="access">What the guest may do with them; null for what the register's options say.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another field.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup.</remarks>
    public RegisterField<TValue> AddField<TValue>(int bit, int width, string name, RegisterAccess? access = null)
        where TValue : unmanaged
    {
        Part.Layout.AddField<TValue>(bit, width, name, access);
        return new RegisterField<TValue>(Part, bit, width);
    }

    /// <summary>Name and value, with the names of its fields.</summary>
    public override string ToString() => $"{Name} = {Part.Layout.Describe(Part.Value)}";
}
