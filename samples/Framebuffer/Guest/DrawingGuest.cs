using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Framebuffer.Device;
using VfioUser;
using VfioUser.Client;
using VfioUser.Protocol;

namespace Framebuffer.Guest;

/// <summary>A minimal driver of the display: maps its memory, sets a mode, draws a hidden picture and shows it.</summary>
internal sealed class DrawingGuest : IDisposable
{
    private const ulong WidthRegister = 0x502;
    private const ulong HeightRegister = 0x504;
    private const ulong BitsPerPixelRegister = 0x506;
    private const ulong EnableRegister = 0x508;
    private const ulong YOffsetRegister = 0x512;

    private readonly VfioUserClient _client;
    private readonly SharedMemory _memory;
    private readonly int _width;
    private readonly int _height;
    private int _hidden; // 0 or 1: which of the two pictures is not shown

    public DrawingGuest(string socket, int width, int height)
    {
        _width = width;
        _height = height;
        _client = VfioUserClient.Connect(socket);
        using ClientRegion bar0 = _client.GetRegionInfo((uint)RegionIndex.Bar0);
        _memory = bar0.Map(bar0.Areas[0]);
        Write(EnableRegister, 0);
        Write(WidthRegister, (ushort)width);
        Write(HeightRegister, (ushort)height);
        Write(BitsPerPixelRegister, 8 * DisplayMode.BytesPerPixel);
        Write(EnableRegister, 1);
    }

    /// <summary>The picture that is not shown, row after row; a pixel is 0xRRGGBB.</summary>
    public Span<uint> Hidden
    {
        get
        {
            int size = _width * _height * DisplayMode.BytesPerPixel;
            return MemoryMarshal.Cast<byte, uint>(_memory.Slice((ulong)(_hidden * size), size));
        }
    }

    /// <summary>Shows the hidden picture: one register write, whatever its size.</summary>
    public void Flip()
    {
        Write(YOffsetRegister, (ushort)(_hidden * _height));
        _hidden ^= 1;
    }

    public void Dispose()
    {
        _memory.Dispose();
        _client.Dispose();
    }

    private void Write(ulong register, ushort value)
    {
        Span<byte> bytes = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        _client.WriteRegion((uint)RegionIndex.Bar2, register, bytes);
    }
}
