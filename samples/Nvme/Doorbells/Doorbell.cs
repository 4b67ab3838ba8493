namespace Nvme.Doorbells;

/// <summary>One doorbell of a queue: where its value comes from, and which values it can have.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class Doorbell
{
    private readonly DoorbellRegisters _registers;
    private readonly int _index;
    private readonly uint _size;
    private readonly Action<int, uint> _invalid;
    private ShadowDoorbells? _shadow;
    private uint _value;
    private uint _refused;

    /// <param name="registers">All of them.</param>
    /// <param name="index">Which one it is.</param>
    /// <param name="size">Of the queue, in entries: values are below it.</param>
    /// <param name="value">Its first value.</param>
    /// <param name="invalid">Told once of each value that is none.</param>
    public Doorbell(DoorbellRegisters registers, int index, int size, uint value, Action<int, uint> invalid)
    {
        _registers = registers;
        _index = index;
        _size = (uint)size;
        _value = _refused = value;
        _invalid = invalid;
        registers.Write(index, value);
    }

    /// <summary>From now on the driver writes there; null for the register.</summary>
    public ShadowDoorbells? Shadow
    {
        get => Volatile.Read(ref _shadow);
        set => Volatile.Write(ref _shadow, value);
    }

    /// <summary>The last value that made sense.</summary>
    public uint Value => Volatile.Read(ref _value);

    /// <summary>What is to be saved: the newest value, but for memory of the guest, where it will be found again.</summary>
    public uint Newest => Shadow is null ? Look() : Value;

    /// <summary>Looks.</summary>
    /// <returns>The newest value that makes sense.</returns>
    public uint Look()
    {
        uint value;
        if (Shadow is { } shadow)
        {
            if (!shadow.TryRead(_index, out value))
                return _value;
        }
        else
        {
            value = _registers.Read(_index);
        }
        if (value < _size)
        {
            Volatile.Write(ref _value, value);
            return value;
        }
        if (value != _refused)
        {
            _refused = value;
            _invalid(_index, value);
        }
        return _value;
    }

    /// <summary>Sees to it that a change from now on is told by a register access, where there is a choice.</summary>
    public void Arm() => Shadow?.TryArm(_index, Value);
}
