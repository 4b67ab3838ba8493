using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <content>Dispatches accesses to registers, memory and handlers.</content>
public partial class Region
{
    private RegionPart? _last; // the part that was found last; Command thread
    private IRegionHandler? _interceptor;

    /// <summary>Has a handler answer every access of a guest to the region, in place of the library.</summary>
    /// <param name="handler">Gets each access as the guest made it, at any offset and width, within <see cref="Size"/>. It calls
    /// <see cref="DefaultRead"/> and <see cref="DefaultWrite"/> to have the library do its part, before or after its own.</param>
    /// <exception cref="InvalidOperationException">There is one already, or the device is being served.</exception>
    /// <remarks>Setup. For accesses that must be handled as a whole, or be passed on to another process. Not called for accesses to
    /// memory that the client maps, nor for ioeventfds.</remarks>
    public void Intercept(IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        Device.ThrowIfServed();
        if (_interceptor is not null)
            throw new InvalidOperationException($"Another handler intercepts {Index} already. Have one call the other.");
        _interceptor = handler;
    }

    /// <summary>Reads as the guest does, for windows and aliases: handlers are called, and read-to-clear bits are cleared.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread.</remarks>
    public void Read(long offset, Span<byte> destination)
    {
        ThrowIfOutside(offset, destination.Length);
        GuestRead(offset, destination);
    }

    /// <summary>Reads a number as the guest does, for windows and aliases: handlers are called, and what reads clear is cleared.</summary>
    /// <typeparam name="T">An unsigned integer, little-endian.</typeparam>
    /// <param name="offset">Of its first byte, relative to the region.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread.</remarks>
    public T Read<T>(long offset)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        T value = default;
        Read(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Writes a number as the guest does, for windows and aliases: handlers are called, and only what a guest may change
    /// changes.</summary>
    /// <typeparam name="T">An unsigned integer, little-endian.</typeparam>
    /// <param name="offset">Of its first byte, relative to the region.</param>
    /// <param name="value">What is written.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread.</remarks>
    public void Write<T>(long offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Write(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes as the guest does, for windows and aliases: handlers are called, and only bits that a guest may change are changed.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="source">What is written.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread.</remarks>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        ThrowIfOutside(offset, source.Length);
        GuestWrite(offset, source);
    }

    /// <summary>The library's answer to a guest's read: registers, memory, and the region's handler for what lies between.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultRead(long offset, Span<byte> destination)
    {
        ThrowIfOutside(offset, destination.Length);
        AnswerRead(offset, destination);
    }

    /// <summary>The library's part of a guest's write: registers, memory, and the region's handler for what lies between.</summary>
    /// <param name="offset">First byte, relative to the region.</param>
    /// <param name="source">The bytes that the guest wrote, or others in their place.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the region.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultWrite(long offset, ReadOnlySpan<byte> source)
    {
        ThrowIfOutside(offset, source.Length);
        AnswerWrite(offset, source);
    }

    /// <summary>A guest reads. Command thread; the range was checked against <see cref="Size"/>.</summary>
    internal void GuestRead(long offset, Span<byte> destination)
    {
        if (_interceptor is null)
        {
            AnswerRead(offset, destination);
            return;
        }
        destination.Clear();
        _interceptor.Read(offset, destination);
    }

    /// <summary>The memory that a guest's read would be answered from, if nothing else takes part. Command thread; the range was checked
    /// against <see cref="Size"/>.</summary>
    internal bool IsMemory(long offset, int length, out ReadOnlySpan<byte> bytes)
    {
        bool isMemory = _interceptor is null && Find(offset, out long until) is MemoryPart && length <= until - offset;
        bytes = isMemory ? _memory!.Span(offset, length) : default;
        return isMemory;
    }

    /// <summary>The memory that a guest's write would go to, if nothing else takes part: what writes there calls <see cref="Written"/>.
    /// Any thread; the range was checked against <see cref="Size"/>.</summary>
    internal Span<byte> MemoryFor(long offset, int length)
    {
        bool isMemory = _interceptor is null && _ioEventFds is null && Find(offset, out long until) is MemoryPart && length <= until - offset;
        return isMemory ? _memory!.Span(offset, length) : default;
    }

    /// <summary>A guest has written to <see cref="MemoryFor"/>. Command thread.</summary>
    internal void Written(long offset, int length) => ((MemoryPart)Find(offset, out _)!).Changed(offset, length);

    /// <summary>A guest writes. Command thread; the range was checked against <see cref="Size"/>.</summary>
    internal void GuestWrite(long offset, ReadOnlySpan<byte> source)
    {
        if (_ioEventFds is null && _interceptor is null)
            AnswerWrite(offset, source);
        else if (_ioEventFds is null || !TrySignal(offset, source))
            PassWrite(offset, source);
    }

    private void PassWrite(long offset, ReadOnlySpan<byte> source)
    {
        if (_interceptor is null)
            AnswerWrite(offset, source);
        else
            _interceptor.Write(offset, source);
    }

    private void AnswerRead(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            RegionPart? part = Find(offset, out long until);
            int length = (int)Math.Min(until - offset, destination.Length);
            Span<byte> piece = destination[..length];
            if (part is not null)
            {
                part.Read(offset - part.Start, piece);
            }
            else
            {
                piece.Clear();
                if (Handler is { } handler)
                    handler.Read(offset, piece);
                else
                    Unmodelled.At(Index, offset, length, write: false);
            }
            offset += length;
            destination = destination[length..];
        }
    }

    private void AnswerWrite(long offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            RegionPart? part = Find(offset, out long until);
            if (part is not null && source.Length <= until - offset)
            {
                part.Write(offset - part.Start, source);
                return;
            }
            int length = (int)Math.Min(until - offset, source.Length);
            if (part is not null)
                part.Write(offset - part.Start, source[..length]);
            else if (Handler is { } handler)
                handler.Write(offset, source[..length]);
            else
                Unmodelled.At(Index, offset, length, write: true);
            offset += length;
            source = source[length..];
        }
    }

    private void ThrowIfOutside(long offset, int length)
    {
        if (offset < 0 || length > Size - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{length} bytes at 0x{offset:x} do not lie within {Index}, which has 0x{Size:x} bytes.");
    }

    // The part at offset, or null for the gap that ends at until.
    private RegionPart? Find(long offset, out long until)
    {
        // drivers write the same register again and again
        if (_last is { } last && offset >= last.Start && offset < last.End)
        {
            until = last.End;
            return last;
        }
        RegionPart[] parts = _decoded ??= [.. _parts];
        int low = 0;
        int high = parts.Length;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (parts[middle].End <= offset)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == parts.Length)
        {
            until = Size;
            return null;
        }
        RegionPart part = parts[low];
        if (part.Start > offset)
        {
            until = part.Start;
            return null;
        }
        until = part.End;
        _last = part;
        return part;
    }
}
