using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace VfioUser;

/// <summary>What a guest may do with each bit of a register, and what the bits are called. Complete when the device is served.</summary>
internal sealed class RegisterLayout
{
    private readonly Action _throwIfServed;
    private readonly List<RegisterFieldInfo> _fields = [];

    private RegisterLayout(int width, Action throwIfServed)
    {
        Width = width;
        _throwIfServed = throwIfServed;
    }

    public string? Name { get; private init; }

    /// <summary>What its author calls it: a register, a doorbell or a view.</summary>
    public string Kind { get; private init; } = "register";

    /// <summary>Kind and name, as in a sentence.</summary>
    public string Words => Name is null ? $"the {Kind}" : $"the {Kind} {Name}";

    public string? Description { get; private init; }

    /// <summary>In bytes.</summary>
    public int Width { get; }

    public ulong ResetValue { get; private init; }

    public ulong Writable { get; private set; }

    public ulong OneToClear { get; private set; }

    public ulong OneToSet { get; private set; }

    public ulong ReadToClear { get; private set; }

    public ulong SelfClearing { get; private init; }

    public ulong ReadsZero { get; private set; }

    public ulong Sticky { get; private init; }

    public ulong Reserved { get; private init; }

    public RegisterMigration Migration { get; private init; }

    public int Since { get; private init; }

    public bool WaitForAllBytes { get; private init; }

    /// <summary>Those with a name, from the lowest bit on.</summary>
    public IReadOnlyList<RegisterFieldInfo> Fields => _fields;

    public ulong All => RegisterBits.OfBytes(Width);

    /// <summary>Whether a write of all bytes replaces the whole value.</summary>
    public bool IsReplaced { get; private set; }

    /// <summary>Whether a write does anything.</summary>
    public bool TakesWrites => (Writable | OneToClear | OneToSet) != 0;

    /// <param name="definition">As it was declared.</param>
    /// <param name="throwIfServed">Throws if the device is being served.</param>
    /// <param name="kind">What its author calls it.</param>
    /// <exception cref="ArgumentException">It contradicts itself.</exception>
    public static RegisterLayout Of<T>(RegisterDefinition<T> definition, Action throwIfServed, string kind = "register")
        where T : unmanaged
    {
        RegisterBits.CheckRegisterType(typeof(T));
        if (definition.Name is { } name)
            CheckName(kind, name);
        ulong oneToClear = RegisterBits.Of(definition.WriteOneToClear);
        ulong oneToSet = RegisterBits.Of(definition.WriteOneToSet);
        ulong readToClear = RegisterBits.Of(definition.ReadToClear);
        ulong selfClearing = RegisterBits.Of(definition.SelfClearing);
        ulong reserved = RegisterBits.Of(definition.Reserved);
        ulong twice = (oneToClear & oneToSet) | ((oneToClear | oneToSet | selfClearing | readToClear) & reserved) | (oneToClear & selfClearing);
        if (twice != 0)
            throw new ArgumentException($"The bits 0x{twice:x} of {definition.Name ?? $"the {kind}"} are in two masks that contradict each other.");
        RegisterLayout layout = new(Unsafe.SizeOf<T>(), throwIfServed)
        {
            Name = definition.Name,
            Kind = kind,
            Description = definition.Description,
            ResetValue = RegisterBits.Of(definition.ResetValue),
            OneToClear = oneToClear,
            OneToSet = oneToSet,
            ReadToClear = readToClear,
            SelfClearing = selfClearing,
            Writable = selfClearing & ~oneToSet,
            Sticky = RegisterBits.Of(definition.Sticky),
            Reserved = reserved,
            Migration = definition.Migration,
            Since = definition.Since,
            WaitForAllBytes = definition.WaitForAllBytes,
        };
        layout.CheckEffect(definition.Access, RegisterBits.Of(definition.WriteMask));
        ulong named = oneToClear | oneToSet | readToClear | selfClearing | reserved;
        layout.Allow(definition.Access, RegisterBits.Of(definition.WriteMask) & ~named);
        layout.AddNamesOf(typeof(T));
        return layout;
    }

    /// <exception cref="ArgumentException">It is empty, or has white space.</exception>
    public static void CheckName(string kind, string name)
    {
        if (name.Length == 0 || name.Any(char.IsWhiteSpace))
            throw new ArgumentException($"A {kind} cannot have the name \"{name}\": a name is not empty, and has no white space.");
    }

    /// <summary>Refuses handlers that would never have an effect.</summary>
    /// <exception cref="ArgumentException">There is one.</exception>
    public void CheckHandlers(bool hasReadHandler, bool hasWriteHandler)
    {
        if (hasReadHandler && ReadsZero == All)
            throw new ArgumentException($"OnRead of {Words} has no effect: it is WriteOnly, so a guest reads zeros.");
        if (WaitForAllBytes && !hasWriteHandler)
            throw new ArgumentException($"WaitForAllBytes of {Words} has no effect: there is no OnWrite, which it is about.");
    }

    public void AddField<TValue>(int bit, int width, string name, RegisterAccess? access)
        where TValue : unmanaged
    {
        _throwIfServed();
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        if (bit < 0 || width < 1 || bit > (8 * Width) - width)
            throw new ArgumentException($"The field {name} does not fit: {Name ?? $"the {Kind}"} has bits 0 to {(8 * Width) - 1}.");
        int room = typeof(TValue) == typeof(bool) ? 1 : 8 * Unsafe.SizeOf<TValue>();
        if (width > room)
            throw new ArgumentException($"The field {name} has {width} bits, and a {typeof(TValue).Name} {room}.");
        RegisterFieldInfo field = new(name, bit, width, typeof(TValue));
        // a declared field replaces the names from members of an enumeration
        _fields.RemoveAll(other => other.IsMember && (other.Mask & field.Mask) != 0);
        if (_fields.Find(other => string.Equals(other.Name, name, StringComparison.Ordinal) || (other.Mask & field.Mask) != 0) is { } taken)
            throw new ArgumentException($"The field {name} has the name or bits of {taken.Name}.");
        int at = _fields.FindIndex(other => other.Bit > bit);
        _fields.Insert(at < 0 ? _fields.Count : at, field);
        if (access is { } allowed)
            Allow(allowed, field.Mask);
    }

    /// <summary>What a guest may do with bits, in a few words.</summary>
    public string AccessOf(ulong mask)
    {
        List<string> words = [];
        Add(Writable & ~SelfClearing & ~ReadsZero, "RW");
        Add(Writable & ReadsZero, "WO");
        Add(SelfClearing, "SC");
        Add(OneToClear, "W1C");
        Add(OneToSet, "W1S");
        Add(ReadToClear, "RC");
        Add(Reserved, "reserved");
        Add(mask & ~(Writable | OneToClear | OneToSet | ReadToClear | Reserved | SelfClearing), "RO");
        return string.Join(", ", words);

        void Add(ulong bits, string word)
        {
            if ((bits & mask) != 0)
                words.Add(word);
        }
    }

    /// <summary>A value, with what its fields are.</summary>
    public string Describe(ulong value)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"0x{value.ToString(string.Create(CultureInfo.InvariantCulture, $"x{2 * Width}"), CultureInfo.InvariantCulture)}");
        string fields = string.Join(' ', _fields.Select(field => field.Describe(value)).Where(words => words.Length > 0));
        return fields.Length == 0 ? text.ToString() : text.Append(CultureInfo.InvariantCulture, $" ({fields})").ToString();
    }

    private void CheckEffect(RegisterAccess access, ulong writeMask)
    {
        if (access is RegisterAccess.ReadOnly && (writeMask & All) != All)
            throw new ArgumentException($"WriteMask of {Words} has no effect: Access is ReadOnly, so a guest writes no bit.");
        if (Since < 1)
            throw new ArgumentException($"Since of {Words} is {Since}: versions are counted from 1.");
    }

    private void Allow(RegisterAccess access, ulong mask)
    {
        Writable &= ~mask | SelfClearing;
        OneToClear &= ~mask;
        OneToSet &= ~mask;
        ReadToClear &= ~mask;
        ReadsZero &= ~mask;
        switch (access)
        {
            case RegisterAccess.ReadWrite:
                Writable |= mask;
                break;
            case RegisterAccess.WriteOnly:
                Writable |= mask;
                ReadsZero |= mask;
                break;
            case RegisterAccess.WriteOneToClear:
                OneToClear |= mask;
                break;
            case RegisterAccess.WriteOneToSet:
                OneToSet |= mask;
                break;
            case RegisterAccess.ReadToClear:
                ReadToClear |= mask;
                break;
            case RegisterAccess.ReadOnly:
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(access), access, "Use a named RegisterAccess.");
        }
        IsReplaced = Writable == All && SelfClearing == 0;
    }

    // The members of an enumeration that are bits, or bits in a row; the first name of each counts.
    private void AddNamesOf(Type type)
    {
        if (!type.IsEnum)
            return;
        foreach (string member in Enum.GetNames(type))
        {
            ulong mask = EnumBits.Of(Enum.Parse(type, member)) & All;
            RegisterFieldInfo? field = RegisterFieldInfo.OfMember(member, mask);
            if (field is not null && !_fields.Exists(other => (other.Mask & mask) != 0))
                _fields.Add(field);
        }
        _fields.Sort((left, right) => left.Bit.CompareTo(right.Bit));
    }
}
