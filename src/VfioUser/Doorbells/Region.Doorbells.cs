namespace VfioUser;

/// <content>Doorbells in shared memory.</content>
public partial class Region
{
    /// <summary>Watches doorbells in memory that the region shares, so that ringing them needs neither message nor descriptor.</summary>
    /// <param name="offset">Of the first one, relative to the region; a multiple of 4.</param>
    /// <param name="count">How many there are, from 1.</param>
    /// <param name="handler">Called with the doorbell's number, from 0, and its new value.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>To wake or to poll it.</returns>
    /// <exception cref="ArgumentException">The doorbells do not lie in one area that the region shares.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup, after <see cref="ShareMemory(ReadOnlySpan{MemoryArea})"/>.</remarks>
    public DoorbellPage AddDoorbellPage(ulong offset, int count, Action<int, uint> handler, DoorbellPageOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        options ??= new DoorbellPageOptions();
        Device.ThrowIfServed();
        if (offset % sizeof(uint) != 0 || options.Stride < sizeof(uint) || options.Stride % sizeof(uint) != 0)
            throw new ArgumentException("Doorbells have 4 bytes and lie at multiples of that.", nameof(offset));
        if (options.Spin < TimeSpan.Zero || options.LongestWait <= TimeSpan.Zero || options.LongestWait.TotalMilliseconds > int.MaxValue)
            throw new ArgumentException("The times to spin and to wait are positive.", nameof(options));
        ulong length = (ulong)(count - 1) * (ulong)options.Stride + sizeof(uint);
        if (_memory is null || Find(offset, out ulong until) is not MemoryPart part || length > until - offset || length > int.MaxValue)
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
