using System.Runtime.CompilerServices;

namespace VfioUser;

/// <content>Doorbells in shared memory.</content>
public partial class Region
{
    /// <summary>Adds doorbells in shared memory of the region, so that a write to one takes neither a message nor an eventfd.</summary>
    /// <param name="offset">Of the first doorbell, relative to the region; a multiple of 4.</param>
    /// <param name="count">Number of doorbells, at least 1.</param>
    /// <param name="handler">Called with the doorbell's number, from 0, and its new value.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The page, to wake or to poll.</returns>
    /// <exception cref="ArgumentException">The doorbells do not lie in one shared area, or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup, after <see cref="ShareMemory(ReadOnlySpan{MemoryArea})"/>.</remarks>
    public DoorbellPage AddDoorbellPage(long offset, int count, Action<int, uint> handler, DoorbellPageOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return AddDoorbellPage<uint>(offset, count, handler, options);
    }

    /// <summary>Adds doorbells of a width in shared memory of the region.</summary>
    /// <typeparam name="T"><see cref="uint"/> or <see cref="ulong"/>.</typeparam>
    /// <param name="offset">Of the first doorbell, relative to the region; a multiple of the width.</param>
    /// <param name="count">Number of doorbells, at least 1.</param>
    /// <param name="handler">Called with the doorbell's number, from 0, and its new value.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The page, to wake or to poll.</returns>
    /// <exception cref="ArgumentException">The doorbells do not lie in one shared area, or an option is out of range.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup, after <see cref="ShareMemory(ReadOnlySpan{MemoryArea})"/>. If a guest writes 64 bits as two halves, a poll may occur
    /// between them: then the handler is called twice, first with one new half.</remarks>
    public DoorbellPage AddDoorbellPage<T>(long offset, int count, Action<int, T> handler, DoorbellPageOptions? options = null)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (typeof(T) != typeof(uint) && typeof(T) != typeof(ulong))
            throw new ArgumentException($"A doorbell of a page has 32 or 64 bits, not those of {typeof(T).Name}.");
        return AddDoorbellPage(offset, count, Unsafe.SizeOf<T>(), (doorbell, value) => handler(doorbell, RegisterBits.From<T>(value)), options);
    }

    private DoorbellPage AddDoorbellPage(long offset, int count, int width, Action<int, ulong> handler, DoorbellPageOptions? options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        options ??= new DoorbellPageOptions();
        Device.ThrowIfServed();
        if (!IsWritable)
            throw new ArgumentException($"{Index} is read-only: no write of a guest rings a doorbell.");
        int stride = options.StrideOf(width);
        if (offset % width != 0 || stride < width || stride % width != 0)
            throw new ArgumentException($"Doorbells take {width} bytes, at multiples of {width}.", nameof(offset));
        if (options.Spin < TimeSpan.Zero || options.LongestWait <= TimeSpan.Zero || options.LongestWait.TotalMilliseconds > int.MaxValue)
            throw new ArgumentException("Spin must not be negative, and LongestWait must be positive and not exceed int.MaxValue milliseconds.", nameof(options));
        long length = ((count - 1L) * stride) + width;
        if (_memory is null || Find(offset, out long until) is not MemoryPart part || length > until - offset || length > int.MaxValue)
        {
            throw new ArgumentException($"0x{length:x} bytes at 0x{offset:x} of {Index} do not lie in one area of shared memory. " +
                "Share it first.", nameof(offset));
        }
        DoorbellPage page = new(this, _memory, offset, count, width, handler, options);
        part.Written += page.Wake;
        Device.Notifiers.Add(page);
        return page;
    }
}
