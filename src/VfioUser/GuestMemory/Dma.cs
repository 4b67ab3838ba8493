using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>The device's access to guest memory, whichever <see cref="DmaBacking"/> it has.</summary>
/// <remarks>
/// Any thread, at any time, concurrently. The client's unmap waits for accesses in progress; once an unmap has started, new
/// accesses to its range fail. Without a client every access fails. A bad address is guest input: it is a result, not an
/// exception. Accesses of one thread take effect in the order in which it makes them, as the guest sees it: each is a full fence. Those of
/// different threads are not ordered, and neither are the bytes of one access. While the guest has not enabled bus mastering, every access fails;
/// those in progress when it disables it are completed.
/// </remarks>
public sealed partial class Dma
{
    private volatile GuestRegionTable _table = GuestRegionTable.Empty;
    private volatile GuestRegionTable _reachable = GuestRegionTable.Empty; // empty while bus mastering is off: accesses need no check
    private volatile bool _hasClient;
    private volatile bool _mayMaster;
    private IGuestMemoryObserver? _observer;
    private int _toldOfBusMaster;
    private long _busMasterChanges;

    internal Dma() => SeveralSlots = new LeaseSlotPool(this);

    /// <summary>The DMA regions mapped now, in order of address.</summary>
    public IReadOnlyList<DmaRegion> Regions => [.. _table.All.Select(region => region.Description)];

    /// <summary>The DMA region that contains an address.</summary>
    /// <returns>Null if the address is not mapped. The client may unmap the region at any time: to hold it, use
    /// <see cref="TryLease"/>.</returns>
    /// <remarks>Any thread. Allocates nothing.</remarks>
    public DmaRegion? Find(Iova address) => _table.Find(address.Value)?.Description;

    /// <summary>Numbers what the device can reach: greater after each map and unmap, and after bus mastering was enabled or disabled.</summary>
    /// <remarks>Any thread. An address that is not mapped, but was, may be so for a moment only: clients unmap and map again what they
    /// move or split. Whoever notes the number before an access of memory that should be there can tell that from a wrong address, and try
    /// again after <see cref="PciDevice.OnDmaMapped"/> and <see cref="PciDevice.OnBusMasterEnabled"/>.</remarks>
    public long Generation => _table.Generation + Interlocked.Read(ref _busMasterChanges);

    /// <summary>All mapped regions. Set on the Command thread.</summary>
    internal GuestRegionTable Table
    {
        get => _table;
        set
        {
            _table = value;
            _reachable = _mayMaster ? value : GuestRegionTable.Empty;
        }
    }

    /// <summary>Whether the device may access memory. Set on the Command thread.</summary>
    internal bool MayMaster
    {
        get => _mayMaster;
        set
        {
            if (_mayMaster == value)
                return;
            _mayMaster = value;
            _reachable = value ? _table : GuestRegionTable.Empty;
            Interlocked.Increment(ref _busMasterChanges);
            Volatile.Write(ref _toldOfBusMaster, 0);
        }
    }

    /// <summary>Keeps the leases and pins that are held and where they were taken; null, the default, for not.</summary>
    internal DmaHolds? Holds { get; set; }

    /// <summary>Logs accesses without bus mastering; null for none.</summary>
    internal IGuestMemoryObserver? Observer
    {
        set => Volatile.Write(ref _observer, value);
    }

    /// <summary>Whether a client is attached: without one, an access fails as disconnected, not as an unmapped address.</summary>
    internal bool HasClient
    {
        get => _hasClient;
        set => _hasClient = value;
    }

    /// <summary>Copies guest memory into <paramref name="destination"/>.</summary>
    /// <param name="address">First byte to read.</param>
    /// <param name="destination">Filled completely, or cleared when the read fails. Length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed.</returns>
    /// <remarks>Any thread. May span regions. Blocks for a round trip where memory is accessed by DMA_READ messages.
    /// Spec: VFIO_USER_DMA_READ.</remarks>
    public DmaResult TryRead(Iova address, Span<byte> destination) => GuestCopy.Read(new Current(this), address.Value, destination);

    /// <summary>Copies <paramref name="source"/> into guest memory.</summary>
    /// <param name="address">First byte to write.</param>
    /// <param name="source">Length in bytes.</param>
    /// <returns>Done; otherwise why and where it failed: some bytes may have been written, usually those before that address.</returns>
    /// <remarks>Any thread. May span regions. Blocks for a round trip where memory is accessed by DMA_WRITE messages.
    /// Spec: VFIO_USER_DMA_WRITE.</remarks>
    public DmaResult TryWrite(Iova address, ReadOnlySpan<byte> source) => GuestCopy.Write(new Current(this), address.Value, source);

    /// <summary>Reads one little-endian value.</summary>
    /// <typeparam name="T">An integer or a struct of integers; aligned integers are read with a single load.</typeparam>
    /// <inheritdoc cref="TryRead(Iova, Span{byte})"/>
    public DmaResult TryRead<T>(Iova address, out T value)
        where T : unmanaged
    {
        Unsafe.SkipInit(out value);
        return TryRead(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Writes one little-endian value.</summary>
    /// <typeparam name="T">An unsigned integer, so that a literal cannot be wider than was meant: 1, 2, 4 or 8 bytes. Aligned ones are
    /// written with a single store.</typeparam>
    /// <inheritdoc cref="TryWrite(Iova, ReadOnlySpan{byte})"/>
    public DmaResult TryWrite<T>(Iova address, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => TryWriteStruct(address, in value);

    /// <summary>Writes a structure as it lies in memory.</summary>
    /// <typeparam name="T">A struct of little-endian integers, with an explicit layout.</typeparam>
    /// <inheritdoc cref="TryWrite(Iova, ReadOnlySpan{byte})"/>
    public DmaResult TryWriteStruct<T>(Iova address, in T value)
        where T : unmanaged => TryWrite(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Runs an action on guest memory: in place if the range is contiguous in a mapped region, otherwise on a copy
    /// that is written back afterwards if <paramref name="writable"/>.</summary>
    /// <param name="address">First byte.</param>
    /// <param name="length">In bytes.</param>
    /// <param name="writable">Whether the action changes the memory.</param>
    /// <param name="state">Passed to <paramref name="action"/>.</param>
    /// <param name="action">Called once if the memory is accessible; keep it short, since an unmap waits for it.</param>
    /// <returns>Done; otherwise why and where it failed.</returns>
    /// <remarks>Any thread. Does not allocate if the memory is mapped.</remarks>
    public DmaResult TryAccess<TState>(Iova address, int length, bool writable, TState state, DmaAction<TState> action)
        where TState : allows ref struct
    {
        ArgumentNullException.ThrowIfNull(action);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return GuestCopy.Access(new Current(this), address.Value, length, writable, state, action);
    }

    // Why an address has no region that allows the access.
    private DmaResult Missing(ulong address, bool write)
    {
        DmaStatus status = UnlessReachable(address) ?? (_table.Find(address) switch
        {
            { IsWritable: false } when write => DmaStatus.NotWritable,
            { IsReadable: false } when !write => DmaStatus.NotReadable,
            _ => DmaStatus.NotMapped,
        });
        return new DmaResult(status, new Iova(address));
    }

    private DmaResult Overflow(ulong address) => new(UnlessReachable(address) ?? DmaStatus.AddressOverflow, new Iova(address));

    // null: the device may access memory, and the address is the cause
    private DmaStatus? UnlessReachable(ulong address)
    {
        // after a disconnect nothing is mapped, but the address may have been right
        if (!_hasClient)
            return DmaStatus.Disconnected;
        if (_mayMaster)
            return null;
        if (Interlocked.Exchange(ref _toldOfBusMaster, 1) == 0)
            Volatile.Read(ref _observer)?.WithoutBusMaster(new Iova(address));
        return DmaStatus.BusMasterOff;
    }

    // the regions mapped at the time of each lookup
    private readonly struct Current(Dma dma) : IGuestRegionSource
    {
        public DmaResult Missing(ulong address, bool write) => dma.Missing(address, write);

        public DmaResult Overflow(ulong address) => dma.Overflow(address);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public GuestRegion? Enter(ulong address, bool write) =>
            dma._reachable.Find(address) is { } region && (write ? region.IsWritable : region.IsReadable) && region.TryBeginAccess() ? region : null;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Exit(GuestRegion region) => region.EndAccess();

        /// <summary>As <see cref="Enter"/>, until <see cref="GuestRegion.Exit"/>: an unmap waits for it, however the memory is accessed.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public GuestRegion? Hold(ulong address, bool write) =>
            dma._reachable.Find(address) is { } region && (write ? region.IsWritable : region.IsReadable) && region.TryEnter() ? region : null;
    }
}
