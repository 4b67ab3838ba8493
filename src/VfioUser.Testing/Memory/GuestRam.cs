using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Testing;

/// <summary>The guest's memory, which the device reads and writes by DMA.</summary>
/// <remarks>Any thread, except mapping and truncating: one thread.</remarks>
public sealed partial class GuestRam : IDmaHandler, IDisposable
{
    /// <summary>Bytes of a page: the unit of allocations and of dirty page tracking.</summary>
    public const int PageSize = 4096;

    private readonly SharedMemory _memory;
    private readonly GuestFaults _faults;
    private readonly GuestLeaks _leaks;
    private readonly Lock _lock = new();
    private ulong _allocated;
    private ulong _length;

    internal GuestRam(TestGuestOptions options, GuestFaults faults, GuestLeaks leaks)
    {
        const string Name = "test-guest";
        _memory = options.Memory == GuestMemoryKind.FileIo
            ? SharedMemory.Map(FileCalls.CreateMemory(Name, options.MemorySize, resizable: true), 0, options.MemorySize)
            : SharedMemory.Create(options.MemorySize, Name);
        _faults = faults;
        _leaks = leaks;
        _length = options.MemorySize;
        Kind = options.Memory;
        Address = options.MemoryAddress;
    }

    /// <summary>How the device accesses it.</summary>
    public GuestMemoryKind Kind { get; }

    /// <summary>IOVA of its first byte.</summary>
    public Iova Address { get; }

    /// <summary>In bytes, as it was mapped.</summary>
    public ulong Size => _memory.Length;

    /// <summary>Bytes that exist: less than <see cref="Size"/> after <see cref="Truncate"/>.</summary>
    public ulong Length => Volatile.Read(ref _length);

    /// <summary>The file behind the memory, to be borrowed.</summary>
    public SafeHandle File => _memory.File;

    /// <summary>Allocates pages.</summary>
    /// <param name="length">In bytes; rounded up to whole pages.</param>
    /// <returns>The IOVA of the first byte.</returns>
    /// <exception cref="InvalidOperationException">The guest has no more memory.</exception>
    public Iova Allocate(ulong length)
    {
        lock (_lock)
        {
            ulong left = Size - _allocated;
            ulong pages = Math.Max(length, 1) / PageSize + (Math.Max(length, 1) % PageSize == 0 ? 0ul : 1ul);
            if (pages > left / PageSize)
                throw new InvalidOperationException($"The guest has {Size} bytes of memory, {left} are left. Ask for more in the options.");
            Iova address = Address + _allocated;
            _allocated += pages * PageSize;
            return address;
        }
    }

    /// <summary>Reads a value, little-endian.</summary>
    public T Read<T>(Iova address)
        where T : unmanaged
    {
        Unsafe.SkipInit(out T value);
        Read(address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Reads bytes.</summary>
    public void Read(Iova address, Span<byte> destination) => Slice(address, destination.Length).CopyTo(destination);

    /// <summary>Reads bytes into a new array.</summary>
    public byte[] ReadBytes(Iova address, int length) => Slice(address, length).ToArray();

    /// <summary>Writes an unsigned integer, little-endian.</summary>
    public void Write<T>(Iova address, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes a structure as it lies in memory.</summary>
    public void WriteStruct<T>(Iova address, in T value)
        where T : unmanaged => Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes bytes.</summary>
    public void Write(Iova address, ReadOnlySpan<byte> source)
    {
        source.CopyTo(Slice(address, source.Length));
        _guestWrites?.Mark(address - Address, source.Length);
    }

    /// <summary>Cuts off the end of the memory while it stays mapped, or extends it again with zeros.</summary>
    /// <param name="length">Bytes that exist from <see cref="Address"/> on, up to <see cref="Size"/>. The DMA mapping does not change.</param>
    /// <exception cref="InvalidOperationException">The memory is <see cref="GuestMemoryKind.Mapped"/>: its file is sealed, because
    /// touching a mapped page past the end raises SIGBUS. A server accesses files that could shrink with system calls.</exception>
    /// <remarks>Past the end the device's accesses fail, and the test's own throw. One thread.</remarks>
    public void Truncate(ulong length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Size);
        if (Kind == GuestMemoryKind.Mapped)
            throw new InvalidOperationException($"Memory that is {Kind} is sealed and cannot shrink: attach with {GuestMemoryKind.FileIo}.");
        ulong old = Length;
        Volatile.Write(ref _length, length);
        if (Kind == GuestMemoryKind.FileIo)
            FileCalls.Resize(File, length);
        else if (length > old)
            ClearBetween(old, length);
    }

    Errno IDmaHandler.Read(ulong address, Span<byte> destination)
    {
        if (_faults.Apply(DmaDirection.Read) is var errno && errno != Errno.None)
            return errno;
        if (!Contains(address, destination.Length))
            return Errno.ENODEV;
        Read(new Iova(address), destination);
        return Errno.None;
    }

    Errno IDmaHandler.Write(ulong address, ReadOnlySpan<byte> source)
    {
        if (_faults.Apply(DmaDirection.Write) is var errno && errno != Errno.None)
            return errno;
        if (!Contains(address, source.Length))
            return Errno.ENODEV;
        source.CopyTo(Slice(new Iova(address), source.Length));
        _deviceWrites?.Mark(address - Address.Value, source.Length);
        return Errno.None;
    }

    /// <summary>Unmaps the memory from this process; the device has released it by then.</summary>
    public void Dispose() => _memory.Dispose();

    private Span<byte> Slice(Iova address, int length)
    {
        ulong offset = address - Address;
        if (offset > Length || (ulong)length > Length - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(address), address,
                $"{length} bytes from {address} on: the guest has {Length} bytes of memory from {Address} on.");
        }
        return _memory.Slice(offset, length);
    }

    private void ClearBetween(ulong from, ulong to)
    {
        while (from < to)
        {
            int length = (int)Math.Min(to - from, 1 << 20);
            _memory.Slice(from, length).Clear();
            from += (ulong)length;
        }
    }

    private bool Contains(ulong address, int length) =>
        IsMapped && address >= Address.Value && address - Address.Value <= Length && (ulong)length <= Length - (address - Address.Value);
}
