using System.Buffers.Binary;
using System.Text;

namespace VfioUser;

/// <summary>A register, a table or a state in a migration stream: identified by its name, so that its offset may change.</summary>
internal sealed class SavedPart(string name, ISavedPart part)
{
    private readonly byte[] _name = Encoding.UTF8.GetBytes(name);

    public string Name => name;

    /// <summary>The first version of the device that has it.</summary>
    public int Since => part.Since;

    public int StateSize => part.StateSize;

    /// <summary>In the record, with header and name.</summary>
    public int Size => MigrationStream.PartHeaderSize + _name.Length + part.StateSize;

    /// <summary>Whether a stream of a version may be without it.</summary>
    public bool MayBeAbsent(int version) => part.IsOptional || part.Since > version;

    public void Save(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)_name.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[2..], part.IsOptional ? MigrationStream.OptionalPart : (ushort)0);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], part.StateSize);
        _name.CopyTo(destination[MigrationStream.PartHeaderSize..]);
        part.SaveState(destination[(MigrationStream.PartHeaderSize + _name.Length)..]);
    }

    public void Restore(ReadOnlySpan<byte> state) => part.RestoreState(state);

    public void Reset() => part.Reset();

    /// <summary>Takes one from the start of a record.</summary>
    /// <returns>False at the end of the record, and if the remaining bytes are not a part.</returns>
    public static bool TryRead(ref ReadOnlySpan<byte> source, out string name, out bool isOptional, out ReadOnlySpan<byte> state)
    {
        name = "";
        isOptional = false;
        state = default;
        if (source.Length < MigrationStream.PartHeaderSize)
            return false;
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(source);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(source[4..]);
        if ((ulong)nameLength + length > (ulong)(source.Length - MigrationStream.PartHeaderSize))
            return false;
        isOptional = (BinaryPrimitives.ReadUInt16LittleEndian(source[2..]) & MigrationStream.OptionalPart) != 0;
        name = Encoding.UTF8.GetString(source.Slice(MigrationStream.PartHeaderSize, nameLength));
        state = source.Slice(MigrationStream.PartHeaderSize + nameLength, (int)length);
        source = source[(MigrationStream.PartHeaderSize + nameLength + (int)length)..];
        return true;
    }
}
