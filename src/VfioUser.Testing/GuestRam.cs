using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>The guest's memory: what the device reads and writes by DMA.</summary>
/// <remarks>Any thread.</remarks>
public sealed class GuestRam : IDmaHandler, IDisposable
{
    private const ulong PageSize = 4096;
    private readonly SharedMemory _memory;
    private readonly Lock _lock = new();
    private ulong _allocated;

    internal GuestRam(TestGuestOptions options)
    {
        _memory = SharedMemory.Create(options.MemorySize, "test-guest");
        Kind = options.Memory;
        Address = options.MemoryAddress;
    }

    /// <summary>How the device reaches it.</summary>
    public GuestMemory Kind { get; }

    /// <summary>Its first byte, as the device sees it.</summary>
    public Iova Address { get; }

    /// <summary>In bytes.</summary>
    public ulong Size => _memory.Length;

    /// <summary>The file behind the memory, to be borrowed.</summary>
    public SafeHandle File => _memory.File;

    /// <summary>Sets pages aside that no other call gets.</summary>
    /// <param name="length">In bytes; rounded up to whole pages.</param>
    /// <returns>Where the device finds them.</returns>
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

    /// <summary>Writes a value, little-endian.</summary>
    public void Write<T>(Iova address, T value)
        where T : unmanaged => Write(address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes bytes.</summary>
    public void Write(Iova address, ReadOnlySpan<byte> source) => source.CopyTo(Slice(address, source.Length));

    Errno IDmaHandler.Read(ulong address, Span<byte> destination)
    {
        if (!Contains(address, destination.Length))
            return Errno.ENODEV;
        Read(new Iova(address), destination);
        return Errno.None;
    }

    Errno IDmaHandler.Write(ulong address, ReadOnlySpan<byte> source)
    {
        if (!Contains(address, source.Length))
            return Errno.ENODEV;
        Write(new Iova(address), source);
        return Errno.None;
    }

    /// <summary>Unmaps the memory here; the device has let go of it.</summary>
    public void Dispose() => _memory.Dispose();

    internal void MapInto(VfioUserClient client)
    {
        DmaMapFlags way = Kind == GuestMemory.FileIo ? DmaMapFlags.FileIo : DmaMapFlags.None;
        bool shared = Kind is GuestMemory.Mapped or GuestMemory.FileIo;
        client.MapDma(
            new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable | way, 0, Address.Value, Size),
            shared ? File : null);
    }

    private Span<byte> Slice(Iova address, int length) => _memory.Slice(address - Address, length);

    private bool Contains(ulong address, int length) =>
        address >= Address.Value && address - Address.Value <= Size && (ulong)length <= Size - (address - Address.Value);
}
