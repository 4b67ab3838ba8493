using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VfioUser.Client;

namespace VfioUser.Testing;

/// <summary>A region, as a driver sees it: typed reads and writes that return once the device has handled them.</summary>
public sealed partial class GuestRegion
{
    private readonly TestGuest _guest;

    internal GuestRegion(TestGuest guest, RegionIndex index)
    {
        _guest = guest;
        Index = index;
    }

    /// <summary>Index of the region.</summary>
    public RegionIndex Index { get; }

    /// <summary>Asks the server for the size.</summary>
    /// <returns>In bytes; 0 if the device has no such region.</returns>
    public long GetSize()
    {
        using ClientRegion region = _guest.Client.GetRegionInfo((uint)Index);
        return (long)region.Size;
    }

    /// <summary>Reads a value, little-endian, in one access.</summary>
    public T Read<T>(long offset)
        where T : unmanaged
    {
        Unsafe.SkipInit(out T value);
        Read(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Reads bytes in one access.</summary>
    /// <exception cref="VfioUserException">The device refused; if its handler threw, that is the inner exception.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            _guest.Client.ReadRegion((uint)Index, (ulong)offset, destination);
        }
        catch (VfioUserException e)
        {
            throw _guest.Explain(e, Access(destination.Length, offset));
        }
    }

    /// <summary>Writes an unsigned integer, little-endian, in one access, and waits until the device has handled it.</summary>
    public void Write<T>(long offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Write(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes bytes in one access, and waits until the device has handled it.</summary>
    /// <exception cref="VfioUserException">The device refused; if its handler threw, that is the inner exception.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        try
        {
            _guest.Client.WriteRegion((uint)Index, (ulong)offset, source);
        }
        catch (VfioUserException e)
        {
            throw _guest.Explain(e, Access(source.Length, offset));
        }
    }

    /// <summary>Reads a register in one access.</summary>
    public T Read<T>(Register<T> register)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(register);
        return Read<T>(register.Offset);
    }

    /// <summary>Writes a register in one access, and waits until the device has handled it.</summary>
    public void Write<T>(Register<T> register, T value)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(register);
        Write(register.Offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
    }

    /// <summary>Writes a value without waiting, as QEMU does; the device handles it before later accesses.</summary>
    public void Post<T>(long offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => _guest.Client.PostRegionWrite((uint)Index, (ulong)offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    private string Access(int length, long offset) =>
        $" to {length} bytes at 0x{offset:x} of {Index}{(_guest.RegisterAt(Index, offset) is { Layout.Name: not null } register ? $" ({register.Name})" : "")}";
}
