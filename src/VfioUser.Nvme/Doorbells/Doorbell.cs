namespace VfioUser.Nvme;

/// <summary>One doorbell of a queue: reads its value from the register or the shadow doorbell, and checks it.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class Doorbell
{
    private readonly DoorbellRegisters _registers;
    private readonly int _index;
    private readonly uint _size;
    private readonly Action<int, uint> _invalid;
    private ShadowDoorbells? _shadow;
    private uint _value;
    private bool _isUnreachable;
    private long _refused = -1;

    /// <param name="registers">The doorbell registers.</param>
    /// <param name="index">Index of this one.</param>
    /// <param name="size">Of the queue, in entries: values are below it.</param>
    /// <param name="value">Its initial value.</param>
    /// <param name="invalid">Called with index and value, once for each invalid value.</param>
    public Doorbell(DoorbellRegisters registers, int index, int size, uint value, Action<int, uint> invalid)
    {
        _registers = registers;
        _index = index;
        _size = (uint)size;
        _value = value;
        _invalid = invalid;
        registers.Write(index, value);
    }

    /// <summary>The shadow doorbells that the driver writes to; null for the register.</summary>
    public ShadowDoorbells? Shadow
    {
        get => Volatile.Read(ref _shadow);
        set => Volatile.Write(ref _shadow, value);
    }

    /// <summary>Has the driver write a shadow doorbell from now on, which starts with the newest value.</summary>
    /// <returns>False when its page is not mapped.</returns>
    public bool StartShadow(ShadowDoorbells? shadow)
    {
        bool started = shadow is null || shadow.TryStart(_index, Poll());
        Shadow = shadow;
        return started;
    }

    /// <summary>Whether the shadow doorbell was not mapped at the last poll or arming.</summary>
    public bool IsUnreachable => Volatile.Read(ref _isUnreachable);

    /// <summary>The last valid value.</summary>
    public uint Value => Volatile.Read(ref _value);

    /// <summary>The value to save: the newest one of the register; a shadow doorbell moves with the guest's memory.</summary>
    public uint Newest => Shadow is null ? Poll() : Value;

    /// <summary>Polls the doorbell.</summary>
    /// <returns>The newest valid value.</returns>
    public uint Poll()
    {
        uint value;
        if (Shadow is { } shadow)
        {
            bool read = shadow.TryRead(_index, out value);
            Volatile.Write(ref _isUnreachable, !read);
            if (!read)
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
        Refuse(value);
        return _value;
    }

    /// <summary>A value is none that its queue can have: tells of it once.</summary>
    public void Refuse(uint value)
    {
        if (value == _refused)
            return;
        _refused = value;
        _invalid(_index, value);
    }

    /// <summary>Has the driver write the register on the next change, if it uses shadow doorbells.</summary>
    /// <returns>The value from which on it does. A change before this call tells nothing: poll once more.</returns>
    public uint Arm()
    {
        uint value = Value;
        if (Shadow is { } shadow && !shadow.TryArm(_index, value))
            Volatile.Write(ref _isUnreachable, true);
        return value;
    }
}
