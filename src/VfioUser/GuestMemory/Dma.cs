using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>The device's access to guest memory. Mapped, by file, by message: one interface for all.</summary>
/// <remarks>
/// Any thread, at any time, several at once. While an access is under way the client's unmap waits for it; once the
/// unmap has begun a new access fails, and so does every access when no client is there. A bad address is guest input
/// and no exception. Nothing is said about order between accesses of different threads.
/// Bus mastering is not looked at: <see cref="ConfigSpace.BusMasterEnabled"/> is there for devices that care.
/// </remarks>
public sealed class Dma
{
    private volatile GuestRegionTable _table = GuestRegionTable.Empty;
    private volatile bool _hasClient;

    internal Dma()
    {
    }

    /// <summary>What is mapped now, by address.</summary>
    public IReadOnlyList<DmaRegion> Regions => [.. _table.All.Select(region => region.Description)];

    /// <summary>What is mapped at an address, and how it is reached.</summary>
    /// <returns>Null for an address that the client has not opened. It may be unmapped when this returns: for a hold see
    /// <see cref="TryLease"/>.</returns>
    /// <remarks>Any thread. Allocates nothing.</remarks>
    public DmaRegion? Find(Iova address) => _table.Find(address.Value)?.Description;

    internal GuestRegionTable Table
    {
        get => _table;
        set => _table = value;
    }

    /// <summary>Whether there is a client that could map memory: without one, no address is a wrong one.</summary>
    internal bool HasClient
    {
        get => _hasClient;
        set => _hasClient = value;
    }

    /// <summary>Copies guest memory into <paramref name="destination"/>.</summary>
    /// <param name="address">First byte to read.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>False if any byte lies outside what the device may read, or the client has gone or does not answer.</returns>
    /// <remarks>Any thread. May cross region borders. May block for a round trip where memory comes by message.
    /// Spec: VFIO_USER_DMA_READ.</remarks>
    public bool TryRead(Iova address, Span<byte> destination) => Read(address, destination) == DmaResult.Done;

    /// <summary>As <see cref="TryRead(Iova, Span{byte})"/>, and says what went wrong: a wrong address is the guest's mistake, a
    /// client that has gone is nobody's.</summary>
    /// <inheritdoc cref="TryRead(Iova, Span{byte})"/>
    /// <returns>What became of it.</returns>
    public DmaResult Read(Iova address, Span<byte> destination) => GuestCopy.Read(new Current(this), address.Value, destination);

    /// <summary>Copies <paramref name="source"/> into guest memory.</summary>
    /// <param name="address">First byte to write.</param>
    /// <param name="source">Length in bytes.</param>
    /// <returns>False if any byte lies outside what the device may write, or the client has gone or does not answer;
    /// then some of the bytes may have been written, in most cases those before the first bad one.</returns>
    /// <remarks>Any thread. May cross region borders. May block for a round trip where memory comes by message.
    /// Spec: VFIO_USER_DMA_WRITE.</remarks>
    public bool TryWrite(Iova address, ReadOnlySpan<byte> source) => Write(address, source) == DmaResult.Done;

    /// <summary>As <see cref="TryWrite(Iova, ReadOnlySpan{byte})"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryWrite(Iova, ReadOnlySpan{byte})"/>
    /// <returns>What became of it.</returns>
    public DmaResult Write(Iova address, ReadOnlySpan<byte> source) => GuestCopy.Write(new Current(this), address.Value, source);

    /// <summary>Reads one value, little-endian as the guest's are.</summary>
    /// <typeparam name="T">An integer or a struct of them; aligned integers are read in one piece.</typeparam>
    /// <inheritdoc cref="TryRead(Iova, Span{byte})"/>
    public bool TryRead<T>(Iova address, out T value)
        where T : unmanaged => Read(address, out value) == DmaResult.Done;

    /// <summary>As <see cref="TryRead{T}(Iova, out T)"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryRead{T}(Iova, out T)"/>
    /// <returns>What became of it.</returns>
    public DmaResult Read<T>(Iova address, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);
        return Read(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Writes one value, little-endian as the guest's are.</summary>
    /// <typeparam name="T">An integer or a struct of them; aligned integers are written in one piece.</typeparam>
    /// <inheritdoc cref="TryWrite(Iova, ReadOnlySpan{byte})"/>
    public bool TryWrite<T>(Iova address, in T value)
        where T : unmanaged => Write(address, in value) == DmaResult.Done;

    /// <summary>As <see cref="TryWrite{T}(Iova, in T)"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryWrite{T}(Iova, in T)"/>
    /// <returns>What became of it.</returns>
    public DmaResult Write<T>(Iova address, in T value)
        where T : unmanaged => Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Works on guest memory in place where it is mapped as one piece; elsewhere on a copy that is read before
    /// and, if <paramref name="writable"/>, written back after.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called once when the memory is there; keep it short, for an unmap waits for it.</param>
    /// <returns>As the copying accesses.</returns>
    /// <remarks>Any thread. Allocates nothing where the memory is mapped.</remarks>
    public bool TryAccess<TState>(Iova address, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct => Access(address, length, writable, state, action) == DmaResult.Done;

    /// <summary>As <see cref="TryAccess"/>, and says what went wrong.</summary>
    /// <inheritdoc cref="TryAccess"/>
    /// <returns>What became of it.</returns>
    public DmaResult Access<TState>(Iova address, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return GuestCopy.Access(new Current(this), address.Value, length, writable, state, action);
    }

    /// <summary>Takes hold of guest memory for longer than one access.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes; the range may cross region borders.</param>
    /// <param name="writable">Whether the device wants to write it, besides reading.</param>
    /// <param name="lease">To be disposed soon: the client's unmap waits for it.</param>
    /// <returns>False if any byte lies outside what the device may access.</returns>
    /// <remarks>Any thread; the lease too.</remarks>
    public bool TryLease(Iova address, ulong length, bool writable, [NotNullWhen(true)] out DmaLease? lease)
    {
        List<GuestRegion> held = [];
        Current regions = new(this);
        ulong at = address.Value;
        ulong left = length;
        while (left > 0)
        {
            bool wrapped = at == 0 && left != length;
            GuestRegion? region = wrapped ? null : regions.Enter(at, writable);
            if (region is not { IsReadable: true })
            {
                region?.Exit();
                held.ForEach(entered => entered.Exit());
                lease = null;
                return false;
            }
            held.Add(region);
            ulong count = Math.Min(left - 1, region.Last - at) + 1;
            left -= count;
            at = unchecked(at + count);
        }
        if (held.Count > 0)
            held[0].Meter?.Leased();
        lease = new DmaLease(address, length, writable, [.. held]);
        return true;
    }

    // the regions that are mapped at the time of each look
    private readonly struct Current(Dma dma) : IGuestRegionSource
    {
        // a client that leaves takes its memory along: then it is not the address that is wrong
        public DmaResult Missing => dma._hasClient ? DmaResult.NotMapped : DmaResult.Disconnected;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public GuestRegion? Enter(ulong address, bool write) =>
            dma._table.Find(address) is { } region && (write ? region.IsWritable : region.IsReadable) && region.TryEnter() ? region : null;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Exit(GuestRegion region) => region.Exit();
    }
}
