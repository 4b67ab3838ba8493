namespace VfioUser.Docs.Tests.DeviceGuide;

/// <summary>A BAR that is neither registers nor memory: a window into something else.</summary>
internal sealed class Window : PciDevice, IRegionHandler
{
    private readonly byte[] _store = new byte[0x10000];

    public Window()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00E1), PciClass.MemoryOther)
    {
        AddBar(2, BarKind.Memory64Prefetchable, size: _store.Length, handler: this);
    }

    void IRegionHandler.Read(long offset, Span<byte> destination) => _store.AsSpan((int)offset, destination.Length).CopyTo(destination);

    void IRegionHandler.Write(long offset, ReadOnlySpan<byte> source) => source.CopyTo(_store.AsSpan((int)offset));
}
