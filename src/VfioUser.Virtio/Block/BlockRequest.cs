using System.Numerics;

namespace VfioUser.Virtio;

/// <summary>A request under way: what it is, where its data is, and what becomes of it when the disk has answered.</summary>
/// <remarks>One thread at a time: whoever carries it out, then whoever brings the disk's answer. Used again for others, so that none
/// allocates.</remarks>
internal sealed class BlockRequest
{
    /// <summary>Sectors have this many bytes, whatever the size of blocks is.</summary>
    public const int SectorSize = 512;

    private const int StatusSize = 1;
    private const int LeastBounce = 16 << 10;

    private readonly Action _continue;
    private CancellationTokenSource? _cancellation;
    private ValueTask<BlockStatus> _running;
    private Memory<byte> _bounce;

    /// <param name="ended">Called with the status of a request that had to wait.</param>
    public BlockRequest(Action<BlockRequest, BlockStatus> ended) => _continue = () => ended(this, _running.GetAwaiter().GetResult());

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
    public CancellationToken Cancellation => (_cancellation ??= new CancellationTokenSource()).Token;

    private bool IsRead => Type is BlockRequestType.Read or BlockRequestType.GetId;

    /// <summary>Begins with a buffer of the driver's.</summary>
    /// <returns>False if it has no header that can be read.</returns>
    public bool TryBegin(VirtioChain chain)
    {
        Chain = chain;
        // somebody may be about to cancel the last one: it is not disposed, and has no timer to be
        if (_cancellation?.TryReset() == false)
            _cancellation = null;
        BlockHeader header = default;
        bool isRead = chain.Readable.TryRead(0, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new Span<BlockHeader>(ref header)));
        (Type, Sector) = (header.Type, header.Sector);
        return isRead;
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

    /// <summary>Tells the driver how it ended.</summary>
    public void Complete(BlockStatus status)
    {
        VirtioChain chain = Chain;
        long length = chain.Writable.Length;
        Span<byte> last = [(byte)status];
        bool isTold = length >= StatusSize && chain.Writable.TryWrite(length - StatusSize, last);
        chain.Complete(isTold ? length : 0);
    }

    /// <summary>Tells the disk that the answer is not wanted. Any thread, while the request is under way.</summary>
    public void Cancel() => _cancellation?.Cancel();
}
