using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>What is left of messages that are being sent. Mutable; for one send.</summary>
internal ref struct OutgoingMessages
{
    private readonly int _whole;
    private ReadOnlySpan<byte> _tail;

    /// <param name="head">One message, or several that follow each other.</param>
    /// <param name="tail">The end of the last of them.</param>
    /// <param name="fds">They go with the first byte.</param>
    /// <param name="whole">Bytes that one send never cuts.</param>
    public OutgoingMessages(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, ReadOnlySpan<SafeHandle> fds, int whole)
    {
        _whole = whole;
        _tail = tail;
        Head = head;
        Fds = fds;
        Piece = SendPiece.Next(head, whole);
    }

    public ReadOnlySpan<byte> Head { get; private set; }

    public ReadOnlySpan<SafeHandle> Fds { get; private set; }

    /// <summary>How many bytes of the head the next send takes.</summary>
    public int Piece { get; private set; }

    /// <summary>What follows the piece in the same send.</summary>
    public readonly ReadOnlySpan<byte> TailOfPiece => Piece == Head.Length ? _tail : default;

    /// <summary>Whether the next send is of bytes in one place, and no more.</summary>
    public readonly bool IsPlain => TailOfPiece.IsEmpty && Fds.IsEmpty;

    public readonly bool IsEmpty => Head.Length + _tail.Length == 0;

    /// <summary>Whether some of it was sent and some was not: nothing can follow that.</summary>
    public bool IsTorn { get; set; }

    public void Sent(int count)
    {
        Fds = default;
        int ofHead = Math.Min(count, Piece);
        Head = Head[ofHead..];
        _tail = _tail[(count - ofHead)..];
        Piece = ofHead < Piece ? Piece - ofHead : SendPiece.Next(Head, _whole);
        IsTorn = !IsEmpty;
    }
}
