namespace VfioUser;

/// <content>Doorbells in shared memory.</content>
public partial class Region
{
    /// <summary>Adds doorbells in shared memory of the region, so that ringing them takes neither a message nor an eventfd.</summary>
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
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        options ??= new DoorbellPageOptions();
        Device.ThrowIfServed();
        if (offset % sizeof(uint) != 0 || options.Stride < sizeof(uint) || options.Stride % sizeof(uint) != 0)
            throw new ArgumentException("Doorbells take 4 bytes, at multiples of 4.", nameof(offset));
        if (options.Spin < TimeSpan.Zero || options.LongestWait <= TimeSpan.Zero || options.LongestWait.TotalMilliseconds > int.MaxValue)
            throw new ArgumentException("Spin must not be negative, and LongestWait must be positive and not exceed int.MaxValue milliseconds.", nameof(options));
        long length = ((count - 1L) * options.Stride) + sizeof(uint);
        if (_memory is null || Find(offset, out long until) is not MemoryPart part || length > until - offset || length > int.MaxValue)
        {
            throw new ArgumentException($"0x{length:x} bytes at 0x{offset:x} of {Index} do not lie in one area of shared memory. " +
                "Share it first.", nameof(offset));
        }
        DoorbellPage page = new(this, _memory, offset, count, handler, options);
        part.Written += page.Wake;
        Device.Notifiers.Add(page);
        return page;
    }
}
