using System.Numerics;

namespace VfioUser.Virtio;

/// <summary>A request under way: what it is, where its data is, and what becomes of it when the disk has answered.</summary>
/// <remarks>One thread at a time: whoever carries it out, then whoever brings the disk's answer. Used again for others, so that none
/// allocates.</remarks>
#pragma warning disable CA1001 // a source without a timer and a wait handle holds nothing to dispose of
internal sealed class BlockRequest
#pragma warning restore CA1001
{
    /// <summary>Sectors have this many bytes, whatever the size of blocks is.</summary>
    public const int SectorSize = 512;

    private const int StatusSize = 1;
    private const int LeastBounce = 16 << 10;

    private readonly Action _continue;
    private CancellationTokenSource _cancellation = new();
    private bool _isCancelled;
    private bool _hasHeader;
    private bool _isTold;
    private ValueTask<BlockStatus> _running;
    private Memory<byte> _bounce;

    /// <param name="requests">Those of its queue.</param>
    /// <param name="ended">Called with the status of a request that had to wait.</param>
    public BlockRequest(BlockRequests requests, Action<BlockRequest, BlockStatus> ended)
    {
        Requests = requests;
        _continue = () => ended(this, _running.GetAwaiter().GetResult());
    }

    /// <summary>Those of its queue, one of which it is.</summary>
    public BlockRequests Requests { get; }

    /// <summary>Whether it has a buffer. Under the lock of <see cref="Requests"/>.</summary>
    public bool IsUnderWay { get; set; }

    /// <summary>The longest piece of data that is copied at one time, in bytes.</summary>
    public const int MaxBounce = 128 << 10;

    /// <summary>The driver's buffer.</summary>
    public VirtioChain Chain { get; private set; } = null!;

    public BlockRequestType Type { get; private set; }

    public ulong Sector { get; private set; }

    /// <summary>Bytes of data: what the device reads or writes beside the header and the status. Negative if there is no room for
    /// these.</summary>
    public long DataLength => IsRead ? Chain.Writable.Length - StatusSize : Chain.Readable.Length - BlockHeader.Size;

    /// <summary>The data, once its length has been checked.</summary>
    public GuestBuffer Data => new(IsRead ? Chain.Writable : Chain.Readable, IsRead ? 0 : BlockHeader.Size, (int)DataLength);

    /// <summary>Cancelled when the answer is not wanted any more.</summary>
    public CancellationToken Cancellation => _cancellation.Token;

    public bool IsCancelled => Volatile.Read(ref _isCancelled);

    /// <summary>Whether the guest's memory could not be accessed.</summary>
    public bool MissesMemory { get; private set; }

    /// <summary>What could be reached of the guest's memory when the request was taken: <see cref="Dma.Generation"/>.</summary>
    public long Begun { get; private set; }

    /// <summary>The same when it was last carried out.</summary>
    public long Tried { get; private set; }

    private bool IsRead => Type is BlockRequestType.Read or BlockRequestType.GetId;

    /// <summary>Begins with a buffer of the driver's.</summary>
    /// <param name="chain">The buffer.</param>
    public void Begin(VirtioChain chain)
    {
        (Chain, Begun, IsUnderWay) = (chain, chain.Generation, true);
        BeginAgain(Begun);
        if (!_isCancelled)
            return;
        // somebody is about to cancel the last one
        (_cancellation, _isCancelled) = (new CancellationTokenSource(), false);
    }

    /// <summary>Reads what the driver asks for, once.</summary>
    /// <returns>False if there is no header that can be read.</returns>
    public bool TryReadHeader()
    {
        if (_hasHeader)
            return true;
        BlockHeader header = default;
        _hasHeader = Chain.Readable.TryRead(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<BlockHeader>(ref header)));
        (Type, Sector) = (header.Type, header.Sector);
        if (Chain.Readable.Length >= BlockHeader.Size)
            Check(_hasHeader);
        return _hasHeader;
    }

    /// <summary>Memory of ours for data: at a multiple of 4096, and never moved.</summary>
    /// <param name="length">At most <see cref="MaxBounce"/>.</param>
    public Memory<byte> Bounce(int length)
    {
        if (_bounce.Length < length)
            _bounce = AlignedMemory.Allocate(Math.Max((int)BitOperations.RoundUpToPowerOf2((uint)length), LeastBounce));
        return _bounce[..length];
    }

    /// <summary>Has the request completed when its disk has answered. It is not the caller's any more.</summary>
    public void CompleteLater(in ValueTask<BlockStatus> running)
    {
        _running = running;
        running.GetAwaiter().UnsafeOnCompleted(_continue);
    }

    /// <summary>Notes whether an access to the guest's memory was done.</summary>
    /// <returns>How the request ends, for that.</returns>
    public BlockStatus Check(bool isDone)
    {
        MissesMemory |= !isDone;
        return isDone ? BlockStatus.Ok : BlockStatus.IoError;
    }

    /// <summary>It is to be carried out once more.</summary>
    /// <param name="generation">What can be reached now.</param>
    public void BeginAgain(long generation) => (Tried, MissesMemory, _hasHeader, _isTold) = (generation, false, false, false);

    /// <summary>Writes how it ended, where the driver looks for it.</summary>
    public void Tell(BlockStatus status)
    {
        Span<byte> last = [(byte)status];
        if (Chain.Writable.Length < StatusSize)
            return;
        _isTold = Chain.Writable.TryWrite(Chain.Writable.Length - StatusSize, last);
        Check(_isTold);
    }

    /// <summary>Gives the buffer back to the driver.</summary>
    public void Complete() => Chain.Complete(_isTold ? Chain.Writable.Length : 0);

    /// <summary>The answer is not wanted any more. Any thread, while the request is under way.</summary>
    /// <returns>What has to be cancelled: it is not used again.</returns>
    public CancellationTokenSource TakeCancellation()
    {
        Volatile.Write(ref _isCancelled, true);
        return _cancellation;
    }
}
