namespace VfioUser;

/// <content>Configuration space that an author answers for.</content>
public sealed partial class ConfigSpace
{
    private IRegionHandler? _interceptor;

    /// <summary>Has a handler answer every access of a guest, in place of the library.</summary>
    /// <param name="handler">Gets each access as the guest made it, at any offset and width, within <see cref="Size"/>. It calls
    /// <see cref="DefaultRead"/> and <see cref="DefaultWrite"/> for what the library shall do as ever, before or after its own.</param>
    /// <exception cref="InvalidOperationException">There is one already, or the device is being served.</exception>
    /// <remarks>
    /// Setup. The handler runs on the Command thread, under the rules of <see cref="IRegionHandler"/>. What it does not
    /// hand on has no effect: command register, BAR addresses, the bits of capabilities and handlers of
    /// <see cref="AddReadHandler"/> and <see cref="AddWriteHandler"/> learn of accesses through the default only. To change a few bytes
    /// those two are the simpler way.
    /// </remarks>
    public void Intercept(IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfSealed();
        if (_interceptor is not null)
            throw new InvalidOperationException("Another handler intercepts the configuration space already. Have one call the other.");
        _interceptor = handler;
    }

    /// <summary>What the library answers to a guest's read: stored bytes and read handlers.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultRead(ulong offset, Span<byte> destination) => AnswerRead(Inside(offset, destination.Length), destination);

    /// <summary>What the library does with a guest's write: writable bits are stored, then write handlers are called.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="source">What the guest wrote, or what it shall have written.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultWrite(ulong offset, ReadOnlySpan<byte> source) => AnswerWrite(Inside(offset, source.Length), source);

    private int Inside(ulong offset, int length)
    {
        int start = offset <= (ulong)Size ? (int)offset : -1;
        ThrowIfOutside(start, length);
        return start;
    }
}
