namespace VfioUser;

/// <summary>Accesses by message, counted. Immutable; any thread.</summary>
internal sealed class DmaMessageAccess(IDmaMessages messages, DmaMeter meter)
{
    public DmaResult Read(ulong address, Span<byte> destination)
    {
        DmaResult result = messages.Read(address, destination);
        if (result)
            meter.Accessed(write: false, destination.Length);
        return result;
    }

    public DmaResult Write(ulong address, ReadOnlySpan<byte> source)
    {
        DmaResult result = messages.Write(address, source);
        if (result)
            meter.Accessed(write: true, source.Length);
        return result;
    }
}
