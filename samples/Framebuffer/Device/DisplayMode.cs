namespace Framebuffer.Device;

/// <summary>The part of the picture memory that is shown: rows of pixels with 32 bits each. Immutable.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In rows.</param>
/// <param name="Offset">Of the first pixel, in bytes.</param>
/// <param name="Stride">From the start of one row to the next, in bytes.</param>
public readonly record struct DisplayMode(int Width, int Height, long Offset, int Stride)
{
    /// <summary>Bytes of a pixel: blue, green, red, and an unused one.</summary>
    public const int BytesPerPixel = 4;

    /// <summary>The limit of bochs-drm; browsers limit their canvas, too.</summary>
    public const int MaxSide = 8192;

    /// <summary>Bytes of a shown row.</summary>
    public int RowBytes => Width * BytesPerPixel;

    /// <summary>Whether every pixel lies in the memory. The guest can write any values.</summary>
    public bool FitsInto(ulong memory) =>
        Width is > 0 and <= MaxSide && Height is > 0 and <= MaxSide
        && (ulong)Offset + (ulong)(Height - 1) * (ulong)Stride + (ulong)RowBytes <= memory;
}
