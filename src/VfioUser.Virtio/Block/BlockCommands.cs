using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>Carries out requests.</summary>
/// <remarks>Any thread, several requests at once. Allocates nothing for a disk that answers before its call returns, and little for others.
/// VIRTIO 1.3 5.2.6 "Device Operation".</remarks>
/// <param name="disk">The bytes.</param>
/// <param name="limits">What the driver has been told.</param>
/// <param name="failed">Called with each exception.</param>
internal sealed class BlockCommands(Disk disk, BlockLimits limits, Action<Exception> failed)
{
    private readonly byte[] _serialNumber = limits.SerialNumber;

    // what a disk says of itself is asked once: a request has no call to spare
    private readonly IInPlaceDisk? _inPlace = disk as IInPlaceDisk;
    private readonly bool _mayBlock = disk.MayBlock;
    private readonly bool _hasVolatileCache = disk.HasVolatileCache;
    private readonly LatencyTracker _latency = new();
    private long _sectors;

    /// <summary>How many sectors the disk has now.</summary>
    public long Sectors
    {
        get => Volatile.Read(ref _sectors);
        set => Volatile.Write(ref _sectors, value);
    }

    /// <summary>Whether a write is durable before it is answered.</summary>
    public bool WritesThrough { get; set; }

    private bool WritesDurably => _hasVolatileCache && WritesThrough;

    /// <summary>Whether carrying a request out should be left to a thread that may block.</summary>
    public bool Blocks(BlockRequest request) => request.Type switch
    {
        BlockRequestType.Read => _mayBlock && !_latency.IsFast,
        BlockRequestType.Write => _mayBlock && (!_latency.IsFast || WritesDurably),
        BlockRequestType.Flush => _mayBlock,
        BlockRequestType.Discard or BlockRequestType.WriteZeroes or BlockRequestType.SecureErase => true,
        _ => false,
    };

    /// <summary>Carries a request out. Throws nothing, now or later: an exception of the disk is a status.</summary>
    /// <returns>Not completed if the disk has not answered yet.</returns>
    public ValueTask<BlockStatus> Execute(BlockRequest request)
    {
        try
        {
            ValueTask<BlockStatus> running = Dispatch(request);
            return running.IsCompletedSuccessfully ? running : Await(running);
        }
        catch (Exception e)
        {
            return new(StatusOf(e));
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BlockStatus> Await(ValueTask<BlockStatus> running)
    {
        try
        {
            return await running.ConfigureAwait(false);
        }
        catch (Exception e)
        {
            return StatusOf(e);
        }
    }

    private ValueTask<BlockStatus> Dispatch(BlockRequest request)
    {
        switch (request.Type)
        {
            case BlockRequestType.Read:
                return HasRoom(request) ? Read(request) : new(BlockStatus.IoError);
            case BlockRequestType.Write:
                return !limits.IsReadOnly && HasRoom(request) ? Write(request) : new(BlockStatus.IoError);
            case BlockRequestType.Flush:
                return Flush();
            case BlockRequestType.GetId:
                return new(GetId(request));
            case BlockRequestType.Discard when limits.CanChange:
                return OnRanges(request, BlockRequestType.Discard);
            case BlockRequestType.WriteZeroes when limits.CanChange:
                return OnRanges(request, BlockRequestType.WriteZeroes);
            case BlockRequestType.SecureErase when limits.CanSecureErase:
                return OnRanges(request, BlockRequestType.SecureErase);
            default:
                return new(BlockStatus.Unsupported);
        }
    }

    // Whether data has a possible length, and lies on the disk.
    private bool HasRoom(BlockRequest request) => request.DataLength is var length && length > 0 && length <= limits.MaxTransfer
        && Contains(request.Sector, length / BlockRequest.SectorSize) && length % limits.BlockSize == 0;

    private bool Contains(ulong sector, long count)
    {
        ulong sectors = (ulong)Sectors;
        return sector <= sectors && (ulong)count <= sectors - sector && sector % (ulong)limits.SectorsPerBlock == 0 && count % limits.SectorsPerBlock == 0;
    }

    private static long OffsetOf(ulong sector) => (long)sector * BlockRequest.SectorSize;

    private ValueTask<BlockStatus> Read(BlockRequest request)
    {
        if (_inPlace is null)
            return ReadThroughBuffer(request);
        GuestBuffer data = request.Data;
        long begun = _mayBlock ? Stopwatch.GetTimestamp() : 0;
        bool isDone = _inPlace.TryRead(OffsetOf(request.Sector), data);
        if (_mayBlock)
            _latency.Answered(begun, data.Length);
        return new(request.Check(isDone));
    }

    private ValueTask<BlockStatus> ReadThroughBuffer(BlockRequest request)
    {
        GuestBuffer data = request.Data;
        if (data.Length > BlockRequest.MaxBounce)
            return ReadInPieces(request);
        Memory<byte> buffer = request.Bounce(data.Length);
        long begun = Stopwatch.GetTimestamp();
        ValueTask reading = disk.ReadAsync(OffsetOf(request.Sector), buffer, request.Cancellation);
        if (!reading.IsCompletedSuccessfully)
            return ReadLater(reading, request, buffer);
        reading.GetAwaiter().GetResult();
        _latency.Answered(begun, buffer.Length);
        return new(Return(request, 0, buffer));
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<BlockStatus> ReadLater(ValueTask reading, BlockRequest request, Memory<byte> buffer)
    {
        await reading.ConfigureAwait(false);
        return Return(request, 0, buffer);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BlockStatus> ReadInPieces(BlockRequest request)
    {
        int length = request.Data.Length;
        for (int done = 0; done < length; done += BlockRequest.MaxBounce)
        {
            Memory<byte> piece = request.Bounce(Math.Min(length - done, BlockRequest.MaxBounce));
            await disk.ReadAsync(OffsetOf(request.Sector) + done, piece, request.Cancellation).ConfigureAwait(false);
            if (Return(request, done, piece) is not BlockStatus.Ok and var failure)
                return failure;
        }
        return BlockStatus.Ok;
    }

    // Gives the guest what was read.
    private static BlockStatus Return(BlockRequest request, int offset, ReadOnlyMemory<byte> read) =>
        request.Check(request.Data.TryCopyFrom(offset, read.Span));

    private ValueTask<BlockStatus> Write(BlockRequest request)
    {
        if (_inPlace is null)
            return WriteThroughBuffer(request);
        GuestBuffer data = request.Data;
        long begun = _mayBlock ? Stopwatch.GetTimestamp() : 0;
        bool isDone = _inPlace.TryWrite(OffsetOf(request.Sector), data);
        if (_mayBlock)
            _latency.Answered(begun, data.Length);
        BlockStatus status = request.Check(isDone);
        return status == BlockStatus.Ok && WritesDurably ? Flush() : new(status);
    }

    private ValueTask<BlockStatus> WriteThroughBuffer(BlockRequest request)
    {
        GuestBuffer data = request.Data;
        if (data.Length > BlockRequest.MaxBounce)
            return WriteInPieces(request);
        Memory<byte> buffer = request.Bounce(data.Length);
        if (request.Check(data.TryCopyTo(0, buffer.Span)) is not BlockStatus.Ok and var failure)
            return new(failure);
        long begun = Stopwatch.GetTimestamp();
        ValueTask writing = WriteBytes(OffsetOf(request.Sector), buffer, request.Cancellation);
        if (!writing.IsCompletedSuccessfully)
            return Later(writing);
        writing.GetAwaiter().GetResult();
        _latency.Answered(begun, buffer.Length);
        return new(BlockStatus.Ok);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BlockStatus> WriteInPieces(BlockRequest request)
    {
        int length = request.Data.Length;
        for (int done = 0; done < length; done += BlockRequest.MaxBounce)
        {
            Memory<byte> piece = request.Bounce(Math.Min(length - done, BlockRequest.MaxBounce));
            if (request.Check(request.Data.TryCopyTo(done, piece.Span)) is not BlockStatus.Ok and var failure)
                return failure;
            await WriteBytes(OffsetOf(request.Sector) + done, piece, request.Cancellation).ConfigureAwait(false);
        }
        return BlockStatus.Ok;
    }

    private ValueTask WriteBytes(long offset, ReadOnlyMemory<byte> bytes, CancellationToken cancellation) =>
        WritesDurably ? disk.WriteDurablyAsync(offset, bytes, cancellation) : disk.WriteAsync(offset, bytes, cancellation);

    private ValueTask<BlockStatus> Flush()
    {
        ValueTask flushing = disk.FlushAsync();
        if (!flushing.IsCompletedSuccessfully)
            return Later(flushing);
        flushing.GetAwaiter().GetResult();
        return new(BlockStatus.Ok);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<BlockStatus> Later(ValueTask disk)
    {
        await disk.ConfigureAwait(false);
        return BlockStatus.Ok;
    }

    private BlockStatus GetId(BlockRequest request)
    {
        int length = (int)Math.Min(request.DataLength, _serialNumber.Length);
        return length > 0 ? request.Check(request.Chain.Writable.TryWrite(0, _serialNumber.AsSpan(0, length))) : BlockStatus.IoError;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<BlockStatus> OnRanges(BlockRequest request, BlockRequestType type)
    {
        if (request.DataLength is not (> 0 and <= BlockLimits.MaxRanges * BlockRange.Size) || request.DataLength % BlockRange.Size != 0)
            return BlockStatus.IoError;
        // a copy, which the driver cannot change once it has been checked
        Memory<byte> ranges = request.Bounce((int)request.DataLength);
        if (request.Check(request.Data.TryCopyTo(0, ranges.Span)) is not BlockStatus.Ok and var failure)
            return failure;
        for (int at = 0; at < ranges.Length; at += BlockRange.Size)
        {
            BlockStatus status = Check(MemoryMarshal.Read<BlockRange>(ranges.Span[at..]), type);
            if (status != BlockStatus.Ok)
                return status;
        }
        for (int at = 0; at < ranges.Length; at += BlockRange.Size)
        {
            BlockRange range = MemoryMarshal.Read<BlockRange>(ranges.Span[at..]);
            if (range.Count == 0)
                continue;
            await Change(type, range, request.Cancellation).ConfigureAwait(false);
        }
        return WritesDurably ? await Flush().ConfigureAwait(false) : BlockStatus.Ok;
    }

    private ValueTask Change(BlockRequestType type, in BlockRange range, CancellationToken cancellation)
    {
        (long offset, long length) = (OffsetOf(range.Sector), OffsetOf(range.Count));
        return type switch
        {
            BlockRequestType.Discard => disk.DeallocateAsync(offset, length, cancellation),
            BlockRequestType.WriteZeroes => disk.WriteZeroesAsync(offset, length, (range.Flags & BlockRange.Unmap) != 0, cancellation),
            _ => disk.SecureEraseAsync(offset, length, cancellation),
        };
    }

    private BlockStatus Check(in BlockRange range, BlockRequestType type)
    {
        uint allowed = type == BlockRequestType.WriteZeroes ? BlockRange.Unmap : 0;
        if ((range.Flags & ~allowed) != 0)
            return BlockStatus.Unsupported;
        uint most = type == BlockRequestType.WriteZeroes ? BlockLimits.MaxZeroesSectors : BlockLimits.MaxRangeSectors;
        return range.Count <= most && Contains(range.Sector, range.Count) ? BlockStatus.Ok : BlockStatus.IoError;
    }

    private BlockStatus StatusOf(Exception exception)
    {
        failed(exception);
        return exception is NotSupportedException ? BlockStatus.Unsupported : BlockStatus.IoError;
    }
}
