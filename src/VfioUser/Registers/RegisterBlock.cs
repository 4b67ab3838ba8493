using System.Runtime.CompilerServices;

namespace VfioUser;

/// <summary>Declares registers: in a region, in the configuration space, or in a part of one of them that has a name of its own.</summary>
/// <remarks>Setup for the members that declare; offsets are relative to the block.</remarks>
public abstract partial class RegisterBlock
{
    private protected RegisterBlock()
    {
    }

    /// <summary>Prefix of the names of its registers, ending with a dot; empty for a region.</summary>
    private protected virtual string Prefix => "";

    /// <summary>Adds a register: a value that the guest reads and writes at an offset.</summary>
    /// <typeparam name="T">Its width: <see cref="byte"/>, <see cref="ushort"/>, <see cref="uint"/> or <see cref="ulong"/>, or an
    /// enumeration, whose members then name the bits.</typeparam>
    /// <param name="offset">First byte, relative to the block; a multiple of the width, or of 4 for one of 8 bytes.</param>
    /// <param name="access">What the guest may do with it.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another part.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Accesses of other widths than the register's work too.</remarks>
    public Register<T> AddRegister<T>(long offset, RegisterAccess access = RegisterAccess.ReadWrite)
        where T : unmanaged => AddRegister(offset, new RegisterOptions<T> { Access = access });

    /// <summary>Adds a register with a name, masks and handlers.</summary>
    /// <inheritdoc cref="AddRegister{T}(long, RegisterAccess)"/>
    [OverloadResolutionPriority(1)] // for new() { ... }
    public Register<T> AddRegister<T>(long offset, RegisterOptions<T> options)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(options);
        return AddRegister(offset, options, RegisterLayout.Of(options, CheckSetup));
    }

    /// <summary>Adds registers that are alike, at equal distances.</summary>
    /// <param name="offset">Of the first one.</param>
    /// <param name="count">How many, from 1.</param>
    /// <param name="options">Of each; its name gets the index in brackets.</param>
    /// <returns>The registers.</returns>
    /// <inheritdoc cref="AddRegister{T}(long, RegisterAccess)" path="/*[not(self::param)]"/>
    public RegisterArray<T> AddRegisters<T>(long offset, int count, RegisterArrayOptions<T>? options = null)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        options ??= new RegisterArrayOptions<T>();
        RegisterLayout layout = RegisterLayout.Of(options, CheckSetup);
        long stride = options.Stride == 0 ? layout.Width : options.Stride;
        RegisterPart[] parts = new RegisterPart[count];
        for (int i = 0; i < count; i++)
        {
            long at = offset + (i * stride);
            parts[i] = Make(at, layout, options, i, NameOf(options.Name is { } name ? $"{name}[{i}]" : null, at));
        }
        foreach (RegisterPart part in parts)
            Add(part, part.Words);
        return new RegisterArray<T>(parts);
    }

    /// <summary>Adds a second offset for a register, with another access: as for a mask that has one offset to set bits and one to clear
    /// them.</summary>
    /// <param name="offset">First byte, relative to the block; a multiple of the width.</param>
    /// <param name="register">Reads return its value, as its read handler gives it, and clear nothing. Writes call its write handler.</param>
    /// <param name="access">What the guest may do with the register at this offset.</param>
    /// <param name="name">Of the view; null to name it by its offset.</param>
    /// <inheritdoc cref="AddRegister{T}(long, RegisterAccess)" path="/*[not(self::param)]"/>
    public void AddView<T>(long offset, Register<T> register, RegisterAccess access, string? name = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(register);
        RegisterLayout layout = RegisterLayout.Of(new RegisterOptions<T> { Access = access, Name = name }, CheckSetup, "view");
        ViewPart part = new(Aligned(offset, layout), layout, NameOf(name, offset), register.Part);
        Add(part, $"view {part.Name} of {register.Name}");
    }

    /// <summary>Adds registers that share one offset, of which one is selected at a time: as for queues, with a register that selects
    /// the queue.</summary>
    /// <param name="offset">First byte, relative to the block; a multiple of the width.</param>
    /// <param name="count">How many, from 1.</param>
    /// <param name="bank">Gives the index of the selected one. Command thread. If it is out of range, reads give zero and writes are
    /// ignored.</param>
    /// <param name="options">Of each.</param>
    /// <returns>The registers.</returns>
    /// <inheritdoc cref="AddRegister{T}(long, RegisterAccess)" path="/*[not(self::param)]"/>
    public RegisterArray<T> AddBankedRegisters<T>(long offset, int count, Func<int> bank, RegisterArrayOptions<T>? options = null)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentNullException.ThrowIfNull(bank);
        options ??= new RegisterArrayOptions<T>();
        RegisterLayout layout = RegisterLayout.Of(options, CheckSetup);
        string name = NameOf(options.Name, offset);
        RegisterPart[] parts = [.. Enumerable.Range(0, count).Select(i => Make(offset, layout, options, i, $"{name}[{i}]"))];
        Add(new BankedPart(parts[0].Start, parts, name, bank), $"{layout.Kind} {name}");
        return new RegisterArray<T>(parts);
    }

    /// <summary>Adds a 32-bit register whose only purpose is that writing it makes something happen.</summary>
    /// <param name="offset">First byte, relative to the block; a multiple of 4.</param>
    /// <param name="ring">Called on the Command thread, whatever was written.</param>
    /// <param name="name">As the data sheet calls it; null to name it by its offset.</param>
    public void AddDoorbell(long offset, Action ring, string? name = null)
    {
        ArgumentNullException.ThrowIfNull(ring);
        AddDoorbell<uint>(offset, _ => ring(), name);
    }

    /// <summary>Adds a register whose only purpose is that writing it makes something happen.</summary>
    /// <typeparam name="T">Its width.</typeparam>
    /// <param name="offset">First byte, relative to the block; a multiple of the width, or of 4 for one of 8 bytes.</param>
    /// <param name="ring">Called on the Command thread with what was written. One of 8 bytes may be written in two halves, in either
    /// order: then it is called once.</param>
    /// <param name="name">As the data sheet calls it; null to name it by its offset.</param>
    public void AddDoorbell<T>(long offset, Action<T> ring, string? name = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(ring);
        RegisterOptions<T> options = new()
        {
            Name = name,
            Access = RegisterAccess.WriteOnly,
            // a migration may occur between the two halves of a write
            Migration = Unsafe.SizeOf<T>() == sizeof(ulong) ? RegisterMigration.Required : RegisterMigration.Skip,
            WaitForAllBytes = Unsafe.SizeOf<T>() == sizeof(ulong),
            OnWrite = write => ring(write.New),
        };
        AddRegister(offset, options, RegisterLayout.Of(options, CheckSetup, "doorbell"));
    }

    /// <summary>Adds bytes that never change, such as a list of capabilities.</summary>
    /// <param name="offset">First byte, relative to the block.</param>
    /// <param name="bytes">Copied.</param>
    /// <exception cref="ArgumentException">They do not fit, or overlap another part.</exception>
    public void AddConstant(long offset, ReadOnlySpan<byte> bytes) => Add(new ConstantPart(StartOf(offset), bytes.ToArray()), $"constant at 0x{offset:x}");

    /// <summary>Names what the device does not model: it reads as zeros, and the first access of a guest is logged by this name.</summary>
    /// <param name="offset">First byte, relative to the block.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="name">As the data sheet calls it.</param>
    /// <exception cref="ArgumentException">It does not fit, or overlaps another part.</exception>
    public void AddTag(long offset, long length, string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        Add(new TagPart(StartOf(offset), length, Prefix + name, Unmodelled), $"tag {name}");
    }

    /// <summary>Begins a block within this one: offsets are relative to its start, and its name is a prefix of the names in it.</summary>
    /// <param name="offset">Of its start, relative to this block.</param>
    /// <param name="name">Without white space.</param>
    public RegisterBlock AddBlock(long offset, string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        RegisterLayout.CheckName("block", name);
        return new NestedBlock(this, offset, $"{Prefix}{name}.");
    }

    /// <summary>Begins blocks within this one that are alike, such as ports or queues.</summary>
    /// <param name="offset">Of the first one, relative to this block.</param>
    /// <param name="count">How many, from 1.</param>
    /// <param name="stride">Bytes from the start of one to that of the next.</param>
    /// <param name="name">Without white space; each gets its index in brackets.</param>
    /// <param name="declare">Declares one: its block, and its index.</param>
    /// <returns>What <paramref name="declare"/> returned for each.</returns>
    public IReadOnlyList<TBlock> AddBlocks<TBlock>(long offset, int count, long stride, string name, Func<RegisterBlock, int, TBlock> declare)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        ArgumentNullException.ThrowIfNull(declare);
        TBlock[] blocks = new TBlock[count];
        for (int i = 0; i < count; i++)
            blocks[i] = declare(AddBlock(offset + (i * stride), $"{name}[{i}]"), i);
        return blocks;
    }

    /// <summary>Gives the registers of this block and of those in it their reset values, except for sticky bits: for a reset that the
    /// device does by itself.</summary>
    /// <remarks>Any thread. Calls no handler.</remarks>
    public void ResetRegisters()
    {
        foreach (RegionPart part in Declared)
            part.ResetWith(keepSticky: true);
    }

    /// <summary>All that was declared in it, and in blocks in it.</summary>
    internal abstract IReadOnlyList<RegionPart> Declared { get; }

    internal abstract UnmodelledAccesses Unmodelled { get; }

    internal abstract void Add(RegionPart part, string what);

    internal abstract void CheckSetup();

    internal long StartOf(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        return Absolute(offset);
    }

    /// <summary>An offset of this block as one of the region.</summary>
    private protected virtual long Absolute(long offset) => offset;

    private static Func<T, T>? Bind<T>(Func<int, T, T>? onRead, int index) => onRead is null ? null : stored => onRead(index, stored);

    private static Action<RegisterWrite<T>>? Bind<T>(Action<int, RegisterWrite<T>>? onWrite, int index)
        where T : unmanaged => onWrite is null ? null : write => onWrite(index, write);

    private TypedRegisterPart<T> Make<T>(long offset, RegisterLayout layout, RegisterArrayOptions<T> options, int index, string name)
        where T : unmanaged => Make(offset, layout, name, Bind(options.OnRead, index), Bind(options.OnWrite, index));

    private TypedRegisterPart<T> Make<T>(long offset, RegisterLayout layout, string name, Func<T, T>? onRead, Action<RegisterWrite<T>>? onWrite)
        where T : unmanaged
    {
        layout.CheckHandlers(onRead is not null, onWrite is not null);
        return new(Aligned(offset, layout), layout, name, onRead, onWrite) { Unmodelled = Unmodelled };
    }

    private Register<T> AddRegister<T>(long offset, RegisterOptions<T> options, RegisterLayout layout)
        where T : unmanaged
    {
        RegisterPart part = Make(offset, layout, NameOf(options.Name, offset), options.OnRead, options.OnWrite);
        Add(part, part.Words);
        return new Register<T>(part);
    }

    private long Aligned(long offset, RegisterLayout layout)
    {
        long absolute = StartOf(offset);
        // many devices have 64-bit registers at multiples of 4
        long alignment = Math.Min(layout.Width, sizeof(uint));
        if (absolute % alignment != 0)
            throw new ArgumentException($"A {layout.Kind} of {layout.Width} bytes lies at a multiple of {alignment}, 0x{absolute:x} is none.", nameof(offset));
        return absolute;
    }

    private string NameOf(string? name, long offset) => Prefix + (name ?? $"0x{Absolute(offset):x}");
}
