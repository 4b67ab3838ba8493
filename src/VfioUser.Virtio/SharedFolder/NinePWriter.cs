using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <summary>The fields of an answer, in order. The buffer has room for every answer but data, which is cut before.</summary>
internal ref struct NinePWriter(Span<byte> buffer)
{
    private readonly Span<byte> _buffer = buffer;

    /// <summary>How many bytes were written.</summary>
    public int Length { get; private set; }

    /// <summary>What was written, to change it.</summary>
    public readonly Span<byte> Written => _buffer[..Length];

    /// <summary>What is left.</summary>
    public readonly Span<byte> Rest => _buffer[Length..];

    public void U8(byte value) => _buffer[Length++] = value;

    public void U16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(Rest, value);
        Length += 2;
    }

    public void U32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(Rest, value);
        Length += 4;
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(Rest, value);
        Length += 8;
    }

    public void String(scoped ReadOnlySpan<byte> value)
    {
        U16((ushort)value.Length);
        value.CopyTo(Rest);
        Length += value.Length;
    }

    /// <summary>A file's identity: 13 bytes.</summary>
    public void Qid(int kind, ulong inode)
    {
        const byte IsFolder = 0x80;
        const byte IsLink = 0x02;
        U8(kind switch
        {
            FileFacts.Folder => IsFolder,
            FileFacts.Link => IsLink,
            _ => 0,
        });
        U32(0);
        U64(inode);
    }

    /// <summary>What is in <see cref="Rest"/> already.</summary>
    public void Skip(int count) => Length += count;

    public void Truncate(int length) => Length = length;
}
