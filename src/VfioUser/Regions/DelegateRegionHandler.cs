namespace VfioUser;

/// <summary>A handler made of two methods, which then need not be public.</summary>
internal sealed class DelegateRegionHandler(RegionRead read, RegionWrite write) : IRegionHandler
{
    public void Read(ulong offset, Span<byte> destination) => read(offset, destination);

    public void Write(ulong offset, ReadOnlySpan<byte> source) => write(offset, source);
}
