using System.Runtime.InteropServices;
using Framebuffer.Device;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace Framebuffer.Tests.Support;

/// <summary>A guest whose driver has mapped the picture memory.</summary>
internal sealed class DisplayDriver : IDisposable
{
    private readonly SharedMemory _memory;

    public DisplayDriver(BochsDisplay display)
    {
        Guest = TestGuest.Attach(display);
        using ClientRegion bar0 = Guest.Client.GetRegionInfo((uint)VfioUser.RegionIndex.Bar0);
        _memory = bar0.Map(bar0.Areas[0]);
    }

    public TestGuest Guest { get; }

    /// <summary>All of the memory; a pixel is 0xRRGGBB.</summary>
    public Span<uint> Pixels => MemoryMarshal.Cast<byte, uint>(_memory.Slice(0, BochsDisplay.MemorySize));

    /// <summary>Writes the mode registers in the order of bochs-drm.</summary>
    public void SetMode(ushort width, ushort height, ushort bitsPerPixel = 32, ushort virtualWidth = 0, ushort x = 0, ushort y = 0)
    {
        Guest.Bar2.Write<ushort>(0x508, 0);
        Guest.Bar2.Write(0x506, bitsPerPixel);
        Guest.Bar2.Write(0x502, width);
        Guest.Bar2.Write(0x504, height);
        Guest.Bar2.Write(0x50C, virtualWidth);
        Guest.Bar2.Write(0x510, x);
        Guest.Bar2.Write(0x512, y);
        Guest.Bar2.Write<ushort>(0x508, 0x41);
    }

    public void Dispose()
    {
        _memory.Dispose();
        Guest.Dispose();
    }
}
