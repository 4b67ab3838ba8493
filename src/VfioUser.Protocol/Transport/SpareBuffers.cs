namespace VfioUser.Protocol;

/// <summary>Buffers of a connection that has ended, for the next one: to allocate them takes a quarter of the time that a server has for
/// a client that only asks for the version.</summary>
/// <remarks>One thread at a time.</remarks>
internal sealed class SpareBuffers
{
    private byte[]? _receive;
    private byte[]? _reply;

    /// <summary>The one that a socket receives into, or null. The caller's now.</summary>
    public byte[]? TakeReceive() => Take(ref _receive);

    /// <summary>The one that replies are written into, or null. The caller's now.</summary>
    public byte[]? TakeReply() => Take(ref _reply);

    /// <summary>Keeps what nobody uses any more; null for none.</summary>
    public void Keep(byte[]? receive, byte[]? reply) => (_receive, _reply) = (receive ?? _receive, reply ?? _reply);

    private static byte[]? Take(ref byte[]? buffer)
    {
        byte[]? taken = buffer;
        buffer = null;
        return taken;
    }
}
