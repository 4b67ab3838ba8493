using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Framebuffer.Device;

namespace Framebuffer.Web;

/// <summary>The message to a page: the size of the picture, and the rows that have changed.</summary>
/// <remarks>
/// Little-endian; a width and height of 0 mean that the screen is off.
/// <code>
/// width   2 bytes    height  2 bytes
/// top     2 bytes    rows    2 bytes    pixels  4 * width * rows bytes: red, green, blue, 255
/// ... repeated from top on
/// </code>
/// Each viewer reuses one: it grows to the size of a picture and no further.
/// </remarks>
internal sealed class ScreenMessage
{
    private const int HeaderSize = 4;

    private byte[] _bytes = [];
    private int _length;

    /// <summary>The bytes to send; empty when nothing has changed.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, _length);

    public void Clear() => _length = 0;

    public void Begin(int width, int height)
    {
        // the worst case for headers is that every other row has changed
        int most = HeaderSize + height * width * DisplayMode.BytesPerPixel + (height + 1) / 2 * HeaderSize;
        if (_bytes.Length < most)
            _bytes = GC.AllocateUninitializedArray<byte>(most);
        _length = 0;
        AddHeader(width, height);
    }

    /// <summary>Adds adjacent rows, with pixels in the guest's format.</summary>
    public void AddRows(int top, int count, ReadOnlySpan<byte> pixels)
    {
        AddHeader(top, count);
        Span<uint> to = MemoryMarshal.Cast<byte, uint>(_bytes.AsSpan(_length, pixels.Length));
        ReadOnlySpan<uint> from = MemoryMarshal.Cast<byte, uint>(pixels);
        for (int i = 0; i < from.Length; i++)
            to[i] = 0xFF000000 | (from[i] & 0xFF) << 16 | (from[i] & 0xFF00) | (from[i] >> 16 & 0xFF);
        _length += pixels.Length;
    }

    private void AddHeader(int first, int second)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_length), (ushort)first);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(_length + 2), (ushort)second);
        _length += HeaderSize;
    }
}
