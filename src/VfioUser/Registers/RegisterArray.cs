using System.Collections;

namespace VfioUser;

/// <summary>Registers that are alike, at equal distances.</summary>
/// <typeparam name="T">The width of each.</typeparam>
/// <remarks>Any thread.</remarks>
public sealed class RegisterArray<T> : IReadOnlyList<Register<T>>
    where T : unmanaged
{
    private readonly RegisterPart[] _parts;
    private readonly Register<T>[] _registers;

    internal RegisterArray(RegisterPart[] parts)
    {
        _parts = parts;
        _registers = [.. parts.Select(part => new Register<T>(part))];
    }

    /// <summary>How many there are.</summary>
    public int Count => _registers.Length;

    /// <summary>One of them.</summary>
    public Register<T> this[int index] => _registers[index];

    /// <summary>Names one bit of each.</summary>
    /// <inheritdoc cref="Register{T}.AddField{TValue}"/>
    public RegisterFieldArray<bool> AddFlag(int bit, string name, RegisterAccess? access = null) => AddField<bool>(bit, 1, name, access);

    /// <summary>Names adjacent bits of each.</summary>
    /// <inheritdoc cref="Register{T}.AddField{TValue}"/>
    public RegisterFieldArray<TValue> AddField<TValue>(int bit, int width, string name, RegisterAccess? access = null)
        where TValue : unmanaged
    {
        _parts[0].Layout.AddField<TValue>(bit, width, name, access);
        return new RegisterFieldArray<TValue>([.. _parts.Select(part => new RegisterField<TValue>(part, bit, width))]);
    }

    /// <inheritdoc/>
    public IEnumerator<Register<T>> GetEnumerator() => ((IEnumerable<Register<T>>)_registers).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
