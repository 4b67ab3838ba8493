namespace VfioUser.Protocol;

/// <summary>Buffers for the payloads of replies: each call keeps one of usual size, the channel keeps one large one.</summary>
/// <remarks>Guarded by the channel's lock.</remarks>
internal sealed class ReplyBuffers
{
    /// <summary>A call keeps a buffer of up to this many bytes: a transfer of 64 KiB with its structure.</summary>
    public const int Usual = (64 << 10) + DmaAccess.WireSize;

    private byte[] _spare = [];

    /// <summary>Returns <paramref name="buffer"/>, or another one of at least <paramref name="length"/> bytes.</summary>
    public byte[] Grow(byte[] buffer, int length)
    {
        if (length <= buffer.Length)
            return buffer;
        if (length <= Usual || length > _spare.Length)
            return GC.AllocateUninitializedArray<byte>(length);
        byte[] spare = _spare;
        _spare = [];
        return spare;
    }

    /// <summary>Returns the buffer that a call keeps when it has ended.</summary>
    public byte[] Keep(byte[] buffer)
    {
        if (buffer.Length <= Usual)
            return buffer;
        if (buffer.Length > _spare.Length && buffer.Length <= ProtocolLimits.MaxMessageSize)
            _spare = buffer;
        return [];
    }
}
