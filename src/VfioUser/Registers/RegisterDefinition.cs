namespace VfioUser;

/// <summary>What a register is: its name, and what a guest may do with each of its bits. Immutable.</summary>
/// <typeparam name="T">Its width: <see cref="byte"/>, <see cref="ushort"/>, <see cref="uint"/> or <see cref="ulong"/>, or an
/// enumeration, whose members then name the bits.</typeparam>
/// <remarks>
/// <see cref="Access"/> is for the bits that no mask names. A bit is in one mask at most, except that those of
/// <see cref="ReadToClear"/>, <see cref="Sticky"/> and <see cref="SelfClearing"/> may be in another one too.
/// </remarks>
public abstract record RegisterDefinition<T>
    where T : unmanaged
{
    private protected RegisterDefinition()
    {
    }

    /// <summary>As the data sheet calls it, without white space; null to name it by its offset.</summary>
    /// <remarks>In dumps, traces, exceptions and tests. Unique in its region.</remarks>
    public string? Name { get; init; }

    /// <summary>What it is for, in a sentence, for a reference.</summary>
    public string? Description { get; init; }

    /// <summary>What the guest may do with the bits of <see cref="WriteMask"/>.</summary>
    public RegisterAccess Access { get; init; } = RegisterAccess.ReadWrite;

    /// <summary>Its value at start and after a reset.</summary>
    public T ResetValue { get; init; }

    /// <summary>The bits that <see cref="Access"/> applies to, if no other mask has them; the guest only reads the others. All bits by
    /// default.</summary>
    public T WriteMask { get; init; } = RegisterBits.All<T>();

    /// <summary>Bits that the guest clears by writing ones to them.</summary>
    public T WriteOneToClear { get; init; }

    /// <summary>Bits that the guest sets by writing ones to them, and cannot clear.</summary>
    public T WriteOneToSet { get; init; }

    /// <summary>Bits that are cleared when the guest reads them.</summary>
    public T ReadToClear { get; init; }

    /// <summary>Bits that the guest writes and that read as zero: the write handler gets them, and they are not stored.</summary>
    public T SelfClearing { get; init; }

    /// <summary>Bits that keep their value over a function-level reset and over <see cref="RegisterBlock.ResetRegisters"/>.</summary>
    public T Sticky { get; init; }

    /// <summary>Bits without a meaning, which read as in <see cref="ResetValue"/>: a guest that writes ones to them is reported, as one
    /// that accesses what is not modelled.</summary>
    public T Reserved { get; init; }

    /// <summary>Whether a migration carries it.</summary>
    public RegisterMigration Migration { get; init; }

    /// <summary>The first <see cref="MigrationOptions.Version"/> of the device that has it: a stream of an older one leaves it at its reset
    /// value.</summary>
    public int Since { get; init; } = 1;

    /// <summary>
    /// Whether the write handler is called once for all bytes, however many accesses a driver takes, in any order: as 32-bit guests
    /// write a 64-bit register in two halves. Otherwise it is called for each access.
    /// </summary>
    public bool WaitForAllBytes { get; init; }
}
