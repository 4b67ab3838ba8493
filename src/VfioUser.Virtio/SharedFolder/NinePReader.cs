using System.Buffers.Binary;

namespace VfioUser.Virtio;

/// <summary>The fields of a request, in order. One that ends too early is bad, and what is read then is 0.</summary>
internal ref struct NinePReader(ReadOnlySpan<byte> rest)
{
    private ReadOnlySpan<byte> _rest = rest;

    /// <summary>Whether a field was not there.</summary>
    public bool IsBad { get; private set; }

    public byte U8() => Take(1) is [var value] ? value : (byte)0;

    public ushort U16() => Take(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    public uint U32() => Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    public ulong U64() => Take(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    public ReadOnlySpan<byte> String() => Take(U16());

    public ReadOnlySpan<byte> Take(uint length)
    {
        if (IsBad || length > (uint)_rest.Length)
        {
            IsBad = true;
            return default;
        }
        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }
}
