using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>The unsent rest of messages that are being sent. Mutable; for one send.</summary>
internal ref struct OutgoingMessages
{
    private readonly int _whole;
    private ReadOnlySpan<byte> _tail;

    /// <param name="head">One message, or several consecutive ones.</param>
    /// <param name="tail">The rest of the last of them.</param>
    /// <param name="fds">Sent with the first byte.</param>
    /// <param name="whole">Bytes that a send never splits.</param>
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

    /// <summary>How many bytes of the head to send next.</summary>
    public int Piece { get; private set; }

    /// <summary>The bytes after the piece in the same send.</summary>
    public readonly ReadOnlySpan<byte> TailOfPiece => Piece == Head.Length ? _tail : default;

    /// <summary>Whether the next send is a single span without descriptors.</summary>
    public readonly bool IsPlain => TailOfPiece.IsEmpty && Fds.IsEmpty;

    public readonly bool IsEmpty => Head.Length + _tail.Length == 0;

    /// <summary>Whether only a part was sent, or a message is lost: then nothing more can be sent.</summary>
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
