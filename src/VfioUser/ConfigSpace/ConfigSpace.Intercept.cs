namespace VfioUser;

/// <content>Configuration space that a handler of the device answers for.</content>
public sealed partial class ConfigSpace
{
    private IRegionHandler? _interceptor;

    /// <summary>Has a handler answer every access of a guest, in place of the library.</summary>
    /// <param name="handler">Gets each access as the guest made it, at any offset and width, within <see cref="Size"/>. It calls
    /// <see cref="DefaultRead"/> and <see cref="DefaultWrite"/> to have the library do its part, before or after its own.</param>
    /// <exception cref="InvalidOperationException">There is one already, or the device is being served.</exception>
    /// <remarks>
    /// Setup. The handler runs on the Command thread, under the rules of <see cref="IRegionHandler"/>. An access that it
    /// does not pass on has no effect: command register, BAR addresses, capabilities and the handlers of
    /// <see cref="AddReadHandler"/> and <see cref="AddWriteHandler"/> see only accesses that reach the default. For a few bytes
    /// those two are simpler.
    /// </remarks>
    public void Intercept(IRegionHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        ThrowIfSealed();
        if (_interceptor is not null)
            throw new InvalidOperationException("Another handler intercepts the configuration space already. Have one call the other.");
        _interceptor = handler;
    }

    /// <summary>The library's answer to a guest's read: stored bytes, then read handlers.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultRead(long offset, Span<byte> destination) => AnswerRead(Inside(offset, destination.Length), destination);

    /// <summary>The library's part of a guest's write: stores writable bits, then calls write handlers.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="source">The bytes that the guest wrote, or others in their place.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>Command thread, from a handler given to <see cref="Intercept"/>.</remarks>
    public void DefaultWrite(long offset, ReadOnlySpan<byte> source) => AnswerWrite(Inside(offset, source.Length), source);

    private int Inside(long offset, int length)
    {
        int start = offset <= Size ? (int)Math.Max(offset, -1) : -1;
        ThrowIfOutside(start, length);
        return start;
    }
}
