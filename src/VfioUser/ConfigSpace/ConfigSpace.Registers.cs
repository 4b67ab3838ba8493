namespace VfioUser;

/// <content>Registers with names, masks and handlers, as regions have them.</content>
public sealed partial class ConfigSpace
{
    private readonly List<NamedPart> _registers = []; // by offset
    private readonly List<(int Offset, int End)> _blocks = [];

    internal override IReadOnlyList<RegionPart> Declared => _registers;

    internal override UnmodelledAccesses Unmodelled => _unmodelled;

    /// <summary>Adds a capability whose content is registers.</summary>
    /// <param name="id">Capability ID.</param>
    /// <param name="size">In bytes, the two of ID and link included: 2 to 192.</param>
    /// <param name="name">In front of the names of its registers.</param>
    /// <param name="offset">Multiple of 4 from 0x40; null for the first free one.</param>
    /// <returns>A block at the capability's start, so that offsets count as in the specification. What is not declared in it reads as zero.</returns>
    /// <exception cref="ArgumentException">The offset is in use or not possible.</exception>
    /// <exception cref="InvalidOperationException">No offset is free, or the device is being served.</exception>
    /// <remarks>Setup. PCI 3.0 6.7.</remarks>
    public RegisterBlock AddCapabilityBlock(byte id, int size, string name, int? offset = null)
    {
        const int HeaderSize = 2;
        ArgumentOutOfRangeException.ThrowIfLessThan(size, HeaderSize);
        CheckFits(size, PciRegister.ConventionalSize - PciRegister.HeaderSize, nameof(size));
        int at = Place(id, size, offset, $"the capability {name}");
        _blocks.Add((at + HeaderSize, at + size));
        return AddBlock(at, name);
    }

    /// <summary>Adds an extended capability whose content is registers.</summary>
    /// <param name="id">Extended capability ID.</param>
    /// <param name="version">1 to 15.</param>
    /// <param name="size">In bytes, the four of the header included: 4 to 3840.</param>
    /// <param name="name">In front of the names of its registers.</param>
    /// <param name="offset">Multiple of 4 from 0x100; null for the first free one. The first one lies at 0x100.</param>
    /// <returns>As <see cref="AddCapabilityBlock"/>.</returns>
    /// <exception cref="ArgumentException">The offset is in use or not possible.</exception>
    /// <exception cref="InvalidOperationException">There is no PCI Express capability, no offset is free, or the device is being
    /// served.</exception>
    /// <remarks>Setup, after <see cref="AddPciExpress"/>. PCI Express 7.9.</remarks>
    public RegisterBlock AddExtendedCapabilityBlock(ushort id, byte version, int size, string name, int? offset = null)
    {
        const int HeaderSize = 4;
        ArgumentOutOfRangeException.ThrowIfLessThan(size, HeaderSize);
        CheckFits(size, PciRegister.ExtendedSize - PciRegister.ConventionalSize, nameof(size));
        int at = PlaceExtended(id, version, size, offset, $"the extended capability {name}");
        _blocks.Add((at + HeaderSize, at + size));
        return AddBlock(at, name);
    }

    internal override void CheckSetup() => ThrowIfSealed();

    internal override void Add(RegionPart part, string what)
    {
        ThrowIfSealed();
        if (part is not NamedPart register)
            throw new ArgumentException($"The {what} is none of the configuration space's: it has registers, fields and capabilities.");
        if (part.Start < 0 || part.Length > Size || part.Start > Size - part.Length)
            throw new ArgumentException($"The {what} does not fit into the {Size} bytes of configuration space. Call Extend first to have 4096.");
        (int start, int end) = ((int)part.Start, (int)part.End);
        if (_registers.Find(other => other.Start < part.End && part.Start < other.End) is { } taken)
            throw new ArgumentException($"The {what} overlaps {Region.Describe(taken)}, from 0x{taken.Start:x} to 0x{taken.End - 1:x}. Give it another offset.");
        if (_registers.Exists(other => string.Equals(other.Name, register.Name, StringComparison.Ordinal)))
            throw new ArgumentException($"The configuration space has a register {register.Name} already.");
        if (!_blocks.Exists(block => start >= block.Offset && end <= block.End))
            Claim(start, end, $"the {what}", null);
        int at = _registers.FindIndex(other => other.Start > part.Start);
        _registers.Insert(at < 0 ? _registers.Count : at, register);
    }

    // A register stores its own value; the bytes at its offset in _bytes have no meaning.
    private void ReadRegisters(int offset, Span<byte> destination, bool asGuest)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        foreach (NamedPart register in _registers)
        {
            if (!Overlaps(register, offset, destination.Length, out int start, out int count))
                continue;
            Span<byte> piece = destination.Slice(start - offset, count);
            if (asGuest)
            {
                register.Read(start - register.Start, piece);
                continue;
            }
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes, register.Value);
            bytes.Slice(start - (int)register.Start, count).CopyTo(piece);
        }
    }

    private void WriteRegisters(int offset, ReadOnlySpan<byte> source, bool asGuest)
    {
        foreach (NamedPart register in _registers)
        {
            if (!Overlaps(register, offset, source.Length, out int start, out int count))
                continue;
            ReadOnlySpan<byte> piece = source.Slice(start - offset, count);
            if (asGuest)
                register.Write(start - register.Start, piece);
            else
                register.Replace(start - (int)register.Start, piece);
        }
    }

    private static bool Overlaps(NamedPart register, int offset, int length, out int start, out int count)
    {
        start = Math.Max((int)register.Start, offset);
        count = Math.Min((int)register.End, offset + length) - start;
        return count > 0;
    }
}
