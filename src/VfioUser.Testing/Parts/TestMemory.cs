using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Testing;

/// <summary>Memory of a test, which the DMA of a <see cref="TestDevice"/> accesses.</summary>
/// <remarks>Any thread, except mapping: that of the test.</remarks>
public sealed class TestMemory : IDisposable
{
    /// <summary>In bytes: 1 MiB.</summary>
    public const int Size = 1 << 20;

    private const int PageSize = 4096;

    private readonly PciDevice _device;
    private readonly SharedMemory _memory;
    private readonly GuestRegions _regions;
    private readonly DmaBacking _backing;
    private readonly Lock _lock = new();
    private int _allocated;

    internal TestMemory(PciDevice device, DmaBacking backing)
    {
        (_device, _backing) = (device, backing);
        _memory = SharedMemory.Create(Size, "test-memory");
        _device.Dma.Holds ??= new DmaHolds();
        ServerLog log = new(NullLogger.Instance);
        TestDmaMessages messages = new(_memory, Address);
        _regions = new GuestRegions(device, messages, maxMaps: 1, trustClient: false, maxDirtyBitmap: 0, log);
        device.Dma.ByMessage = new DmaMessageAccess(messages, ((IGuestMemoryObserver)log).MeterOf(DmaBacking.Message));
        try
        {
            Map();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>IOVA of its first byte: 4 GiB, so that an access fails whose address a part has not stored or has truncated.</summary>
    public static Iova Address { get; } = new(0x1_0000_0000);

    /// <summary>Whether it is mapped for DMA, as it is from the start.</summary>
    public bool IsMapped => _device.Dma.Find(Address) is not null;

    internal DmaRegion Description => _device.Dma.Find(Address)!;

    /// <summary>Maps the memory for DMA again.</summary>
    /// <exception cref="InvalidOperationException">It is mapped.</exception>
    public void Map()
    {
        if (IsMapped)
            throw new InvalidOperationException("The memory is mapped already.");
        DmaMapFlags access = _backing == DmaBacking.FileIo ? DmaMapFlags.FileIo : DmaMapFlags.None;
        SafeFileHandle? file = _backing == DmaBacking.Message ? null : FileCalls.Duplicate(_memory.File);
        Refusal refusal = _regions.Map(
            new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable | access, 0, Address.Value, Size), file, out _);
        if (!refusal.IsNone)
            throw new TestGuestException($"The memory cannot be mapped: {refusal}.");
        _device.Dma.HasClient = true;
    }

    /// <summary>Unmaps the memory: it calls <see cref="DevicePart.OnDmaUnmapping"/> of the parts, and their later accesses fail.</summary>
    /// <exception cref="TestGuestException">A part still holds a lease or pin of it, for which a client would wait.</exception>
    public void Unmap()
    {
        DmaDrain drain = _regions.UnmapBetween(0, ulong.MaxValue);
        if (!drain.IsDone)
            throw new TestGuestException($"The memory is unmapped, and still held: {_device.Dma.Holds!.Describe()}");
        _regions.Drained(drain);
    }

    /// <summary>Allocates pages.</summary>
    /// <param name="length">In bytes; rounded up to whole pages.</param>
    /// <returns>The IOVA of the first byte.</returns>
    /// <exception cref="InvalidOperationException">There is no more memory.</exception>
    public Iova Allocate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        lock (_lock)
        {
            int left = Size - _allocated;
            if (length > left || left == 0)
                throw new InvalidOperationException($"The memory has {Size} bytes, of which {left} are left.");
            Iova address = Address + (ulong)_allocated;
            _allocated += Math.Max(length + (PageSize - 1) & ~(PageSize - 1), PageSize);
            return address;
        }
    }

    /// <summary>Puts bytes into the memory, on pages of their own.</summary>
    /// <returns>The IOVA of the first byte.</returns>
    public Iova Place(ReadOnlySpan<byte> bytes)
    {
        Iova address = Allocate(bytes.Length);
        Write(address, bytes);
        return address;
    }

    /// <summary>Reads a value, little-endian.</summary>
    public T Read<T>(Iova address)
        where T : unmanaged => MemoryMarshal.Read<T>(Slice(address, Unsafe.SizeOf<T>()));

    /// <summary>Reads bytes into a new array.</summary>
    public byte[] ReadBytes(Iova address, int length) => Slice(address, length).ToArray();

    /// <summary>Writes an unsigned integer, little-endian.</summary>
    public void Write<T>(Iova address, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => WriteStruct(address, in value);

    /// <summary>Writes a structure as it lies in memory.</summary>
    public void WriteStruct<T>(Iova address, in T value)
        where T : unmanaged => MemoryMarshal.Write(Slice(address, Unsafe.SizeOf<T>()), in value);

    /// <summary>Writes bytes.</summary>
    public void Write(Iova address, ReadOnlySpan<byte> source) => source.CopyTo(Slice(address, source.Length));

    /// <summary>Unmaps it from the device, and from this process.</summary>
    /// <remarks>The device does so when it is disposed.</remarks>
    public void Dispose()
    {
        _device.Dma.HasClient = false;
        if (IsMapped)
            _regions.UnmapBetween(0, ulong.MaxValue);
        _regions.Dispose();
        _memory.Dispose();
    }

    private Span<byte> Slice(Iova address, int length)
    {
        ulong offset = address - Address;
        if (offset > Size || (ulong)length > Size - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(address), address,
                $"{length} bytes from {address} on: the memory has {Size} bytes from {Address} on.");
        }
        return _memory.Slice(offset, length);
    }
}
