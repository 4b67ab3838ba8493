namespace VfioUser.Protocol;

/// <summary>Says where the end of a large message belongs, so that it is received there and not copied.</summary>
internal interface IPayloadPlacement
{
    /// <summary>Where the last bytes of a message belong.</summary>
    /// <param name="header">Of a message that has begun to arrive, with a valid size.</param>
    /// <param name="start">The payload as far as it has arrived.</param>
    /// <returns>Memory for as many of the payload's last bytes as it has, of which <paramref name="start"/> has all that come before; empty
    /// to receive the message as a whole. Must stay valid until the message is taken.</returns>
    /// <remarks>The thread that receives, which is the Command thread.</remarks>
    Span<byte> Find(in MessageHeader header, ReadOnlySpan<byte> start);
}
