namespace VfioUser.Protocol;

/// <summary>Receive buffer of a socket; messages are handled in place.</summary>
/// <remarks>
/// <code>
/// Bytes: | kept: messages still in use | parsed, free again | Start  not parsed yet  End | free |
/// </code>
/// </remarks>
/// <param name="first">Size in bytes until it is full for the first time.</param>
/// <param name="capacity">Size in bytes afterwards.</param>
/// <param name="spare">An array of the first size that nobody uses; null to allocate one.</param>
internal sealed class ReceiveBuffer(int first, int capacity, byte[]? spare = null)
{
    // a buffer that grew for a large message shrinks after this many consecutive receives that did not need it
    private const int ShrinkAfter = 256;
    // one that grew for many small messages shrinks later, since it may soon be full again
    private const int ShrinkToFirstAfter = 16384;

    private readonly int _first = first;
    private readonly int _capacity = capacity;
    private int _kept;
    private int _smallInARow;
    private bool _wasFull;

    public ReceiveBuffer(int capacity)
        : this(capacity, capacity)
    {
    }

    public byte[] Bytes { get; private set; } = spare ?? Allocate(first);

    public int Start { get; private set; }

    public int End { get; private set; }

    public ReadOnlySpan<byte> Unparsed => Bytes.AsSpan(Start, End - Start);

    public Span<byte> Free => Bytes.AsSpan(End);

    /// <summary>Keeps the bytes parsed so far until <see cref="ReleaseKept"/>.</summary>
    public void KeepParsed() => _kept = Start;

    public void ReleaseKept() => _kept = 0;

    /// <summary>Makes room for a message of <paramref name="needed"/> bytes that starts at <see cref="Start"/>.</summary>
    public void Reserve(int needed)
    {
        int unparsed = End - Start;
        if (unparsed == 0)
            Start = End = _kept;
        if (Start == 0 && Bytes.Length > _first && needed <= _capacity && unparsed == 0 && IsTooLarge())
        {
            MoveTo(Allocate(Bytes.Length > _capacity ? _capacity : _first));
            return;
        }
        if (needed > _capacity)
            _smallInARow = 0;
        if (_wasFull)
        {
            _wasFull = false;
            if (Bytes.Length < _capacity)
                MoveTo(Allocate(Math.Max(_capacity, needed + MessageHeader.WireSize)));
        }
        if (Start + needed <= Bytes.Length && End < Bytes.Length)
            return;
        if (_kept + needed <= Bytes.Length && _kept + unparsed < Bytes.Length)
        {
            Buffer.BlockCopy(Bytes, Start, Bytes, _kept, unparsed);
            (Start, End) = (_kept, _kept + unparsed);
            return;
        }
        // a caller that receives without parsing may have more bytes than a message needs: double the buffer
        int length = needed > unparsed ? needed + MessageHeader.WireSize : checked(2 * unparsed);
        MoveTo(Allocate(Math.Max(_capacity, length)));
    }

    public void Received(int count)
    {
        End += count;
        if (End == Bytes.Length)
            _wasFull = true;
        if (count >= _first && Bytes.Length <= _capacity)
            _smallInARow = 0;
    }

    public void Consume(int count) => Start += count;

    // a buffer that grew for a bitmap of dirty pages shrinks at once
    private bool IsTooLarge() => Bytes.Length > 2 * ProtocolLimits.MaxMessageSize || ++_smallInARow == (Bytes.Length > _capacity ? ShrinkAfter : ShrinkToFirstAfter);

    // messages in use keep the old array alive
    private void MoveTo(byte[] bytes)
    {
        int unparsed = End - Start;
        Buffer.BlockCopy(Bytes, Start, bytes, 0, unparsed);
        Bytes = bytes;
        (Start, End, _kept, _smallInARow) = (0, unparsed, 0, 0);
    }

    /// <summary>Its array, for the buffer of another socket, unless it has grown. The caller knows that nobody uses it any more.</summary>
    public byte[]? Spare => Bytes.Length == _first ? Bytes : null;

    // on the pinned heap: a blocking receive would otherwise pin it for as long as the peer is silent
    private static byte[] Allocate(int size) => GC.AllocateUninitializedArray<byte>(size, pinned: true);
}
