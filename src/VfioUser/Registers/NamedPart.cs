using System.Buffers.Binary;

namespace VfioUser;

/// <summary>A register as a guest addresses it: up to eight bytes at an offset.</summary>
internal abstract class NamedPart(long start, RegisterLayout layout, string name) : RegionPart(start, layout.Width)
{
    public RegisterLayout Layout { get; } = layout;

    /// <summary>With the names of the blocks around it.</summary>
    public string Name { get; } = name;

    public override string StateName => Name;

    public override int Since => Layout.Since;

    public override bool IsOptional => Layout.Migration == RegisterMigration.Optional;

    /// <summary>What it is in a sentence about an offset, without an article.</summary>
    public string Words => Layout.Name is null ? $"{Layout.Kind} at {Name}" : $"{Layout.Kind} {Name}";

    /// <summary>Whether code of the device is to run when a guest has written it.</summary>
    public virtual bool HasWriteHandler => false;

    /// <summary>The stored value.</summary>
    public abstract ulong Value { get; set; }

    /// <summary>Replaces bytes of it, regardless of the guest's access.</summary>
    public void Replace(int offset, ReadOnlySpan<byte> bytes)
    {
        ulong lanes = RegisterBits.OfBytes(bytes.Length) << (8 * offset);
        Update(lanes & Layout.All, Load(bytes) << (8 * offset));
    }

    /// <summary>Replaces bits in one step.</summary>
    /// <returns>The value stored before.</returns>
    public abstract ulong Update(ulong mask, ulong value);

    protected static void Store(ulong value, long offset, Span<byte> destination)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        bytes.Slice((int)offset, destination.Length).CopyTo(destination);
    }

    protected static ulong Load(ReadOnlySpan<byte> source)
    {
        switch (source.Length)
        {
            case sizeof(ulong):
                return BinaryPrimitives.ReadUInt64LittleEndian(source);
            case sizeof(uint):
                return BinaryPrimitives.ReadUInt32LittleEndian(source);
        }
        ulong value = 0;
        for (int i = source.Length - 1; i >= 0; i--)
            value = value << 8 | source[i];
        return value;
    }
}
