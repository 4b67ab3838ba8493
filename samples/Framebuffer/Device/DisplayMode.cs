namespace Framebuffer.Device;

/// <summary>What of the picture memory is shown: rows of pixels with 32 bits each. Immutable.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In rows.</param>
/// <param name="Offset">Of the first pixel, in bytes.</param>
/// <param name="Stride">From one row to the next, in bytes.</param>
public readonly record struct DisplayMode(int Width, int Height, long Offset, int Stride)
{
    /// <summary>Of a pixel: blue, green, red, and one that says nothing.</summary>
    public const int BytesPerPixel = 4;

    /// <summary>As bochs-drm has it; more fits into no browser's canvas.</summary>
    public const int MaxSide = 8192;

    /// <summary>Of the bytes that are shown, those of a row.</summary>
    public int RowBytes => Width * BytesPerPixel;

    /// <summary>Whether every pixel lies in the memory. The guest may have asked for anything.</summary>
    public bool FitsInto(ulong memory) =>
        Width is > 0 and <= MaxSide && Height is > 0 and <= MaxSide
        && (ulong)Offset + (ulong)(Height - 1) * (ulong)Stride + (ulong)RowBytes <= memory;
}
