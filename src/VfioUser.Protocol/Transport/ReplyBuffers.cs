namespace VfioUser.Protocol;

/// <summary>Memory for the payloads of replies: usual ones stay with their call, of large ones a channel keeps one.</summary>
/// <remarks>Under the channel's lock.</remarks>
internal sealed class ReplyBuffers
{
    /// <summary>Up to this length in bytes a call keeps its buffer: a transfer of 64 KiB and what is in front of it.</summary>
    public const int Usual = (64 << 10) + DmaAccess.WireSize;

    private byte[] _spare = [];

    /// <summary>A buffer of at least <paramref name="length"/> bytes in place of <paramref name="buffer"/>, or the same.</summary>
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

    /// <summary>What a call keeps of its buffer when it has ended.</summary>
    public byte[] Keep(byte[] buffer)
    {
        if (buffer.Length <= Usual)
            return buffer;
        if (buffer.Length > _spare.Length && buffer.Length <= ProtocolLimits.MaxMessageSize)
            _spare = buffer;
        return [];
    }
}
