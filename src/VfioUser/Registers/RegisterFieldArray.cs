namespace VfioUser;

/// <summary>The same field of each register of an array.</summary>
/// <typeparam name="TValue">A boolean, an unsigned integer or an enumeration.</typeparam>
/// <remarks>Any thread. Made by <see cref="RegisterArray{T}.AddField"/> and <see cref="RegisterArray{T}.AddFlag"/>.</remarks>
public sealed class RegisterFieldArray<TValue>
    where TValue : unmanaged
{
    private readonly RegisterField<TValue>[] _fields;

    internal RegisterFieldArray(RegisterField<TValue>[] fields) => _fields = fields;

    /// <summary>That of one register.</summary>
    /// <param name="index">Of the register.</param>
    public RegisterField<TValue> this[int index] => _fields[index];
}
