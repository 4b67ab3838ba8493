namespace VfioUser;

/// <summary>A handler made of two methods, which then need not be public.</summary>
internal sealed class DelegateRegionHandler(RegionRead read, RegionWrite write) : IRegionHandler
{
    public void Read(long offset, Span<byte> destination) => read(offset, destination);

    public void Write(long offset, ReadOnlySpan<byte> source) => write(offset, source);
}
