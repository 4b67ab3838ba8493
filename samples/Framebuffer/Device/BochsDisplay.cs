using VfioUser;

namespace Framebuffer.Device;

/// <summary>
/// The Bochs display: picture memory, and registers that select the part to show. Linux drives it with bochs-drm.
/// </summary>
/// <remarks>
/// BAR 0 is the memory, which the guest maps: drawing sends no messages. BAR 2 has the registers, of 16 bits but the first:
/// <code>
/// 0x400  attribute        bit 5: the screen is on (8 bits)
/// 0x500  id               0xB0C5
/// 0x502  width            pixels
/// 0x504  height           rows
/// 0x506  bits per pixel   32: blue, green, red, nothing
/// 0x508  enable           bit 0: there is a picture
/// 0x50C  virtual width    pixels from one row to the next, if more than the width
/// 0x510  x offset         pixels to the left of the shown part
/// 0x512  y offset         rows above the shown part
/// 0x514  memory           size of BAR 0, in 64 KiB
/// </code>
/// The registers are evaluated when the screen is read, and the picture is shown if they form a valid mode.
/// Source: <c>hw/display/bochs-display.c</c> of QEMU, <c>drivers/gpu/drm/tiny/bochs.c</c> of Linux.
/// </remarks>
public sealed class BochsDisplay : PciDevice
{
    /// <summary>Size of the picture memory in bytes.</summary>
    public const int MemorySize = 16 << 20;

    private const byte ScreenOn = 1 << 5;
    private const ushort Enabled = 1 << 0;

    private readonly RegionMemory _memory;
    private readonly Register<byte> _attribute;
    private readonly Register<ushort> _width;
    private readonly Register<ushort> _height;
    private readonly Register<ushort> _bitsPerPixel;
    private readonly Register<ushort> _enable;
    private readonly Register<ushort> _virtualWidth;
    private readonly Register<ushort> _xOffset;
    private readonly Register<ushort> _yOffset;

    public BochsDisplay()
        : base(new PciId(Vendor: 0x1234, Device: 0x1111), PciClass.DisplayOther)
    {
        _memory = AddBar(0, BarKind.Memory32Prefetchable, size: MemorySize).ShareMemory();

        Bar registers = AddBar(2, BarKind.Memory32, size: 0x1000);
        _attribute = registers.AddRegister(0x400, new RegisterOptions<byte> { ResetValue = ScreenOn });
        registers.AddRegister(0x500, new RegisterOptions<ushort> { Access = RegisterAccess.ReadOnly, ResetValue = 0xB0C5 });
        _width = registers.AddRegister<ushort>(0x502);
        _height = registers.AddRegister<ushort>(0x504);
        _bitsPerPixel = registers.AddRegister<ushort>(0x506);
        _enable = registers.AddRegister<ushort>(0x508);
        _virtualWidth = registers.AddRegister<ushort>(0x50C);
        _xOffset = registers.AddRegister<ushort>(0x510);
        _yOffset = registers.AddRegister<ushort>(0x512);
        registers.AddRegister(0x514, new RegisterOptions<ushort> { Access = RegisterAccess.ReadOnly, ResetValue = MemorySize >> 16 });
    }

    /// <summary>The mode; null when the screen is off, or the registers form no valid mode. Any thread.</summary>
    public DisplayMode? Mode
    {
        get
        {
            if ((_attribute.Value & ScreenOn) == 0 || (_enable.Value & Enabled) == 0 || _bitsPerPixel.Value != 8 * DisplayMode.BytesPerPixel)
                return null;
            int width = _width.Value;
            int stride = Math.Max(_virtualWidth.Value, width) * DisplayMode.BytesPerPixel;
            long offset = (long)_yOffset.Value * stride + _xOffset.Value * DisplayMode.BytesPerPixel;
            DisplayMode mode = new(width, _height.Value, offset, stride);
            return mode.FitsInto(MemorySize) ? mode : null;
        }
    }

    /// <summary>A row of the picture in the guest's memory, which may change at any time. Any thread.</summary>
    public ReadOnlySpan<byte> Row(DisplayMode mode, int row) => _memory.Span((mode.Offset + (long)row * mode.Stride), mode.RowBytes);

    // the next guest must not see pictures of this one
    /// <inheritdoc/>
    protected override void OnDetached() => _memory.Span(0, MemorySize).Clear();
}
