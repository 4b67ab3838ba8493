using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Framebuffer.Device;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Framebuffer;

/// <summary>A display, served by this process on a socket of its own.</summary>
internal sealed class ServedDisplay : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly BochsDisplay _display = new();
    private readonly ServedDevice _served;

    public ServedDisplay() => _served = new ServedDevice(_display);

    public string SocketPath => _served.SocketPath;

    public DisplayMode? Mode => _display.Mode;

    /// <summary>Waits for what is on the screen: Linux draws into its own memory first, and copies it a little later.</summary>
    public bool Shows(Func<ServedDisplay, bool> condition) => SpinWait.SpinUntil(() => condition(this), Timeout);

    /// <summary>A pixel as 0xRRGGBB; null while the screen is off.</summary>
    public uint? Pixel(int x, int y) => Mode is { } mode
        ? BinaryPrimitives.ReadUInt32LittleEndian(_display.Row(mode, y)[(x * DisplayMode.BytesPerPixel)..]) & 0xFFFFFF
        : null;

    /// <summary>How many pixels of some rows are not black.</summary>
    public int Lit(int top, int rows) => Mode is { } mode
        ? Enumerable.Range(top, rows).Sum(row => Lit(MemoryMarshal.Cast<byte, uint>(_display.Row(mode, row))))
        : 0;

    public ValueTask DisposeAsync() => _served.DisposeAsync();

    private static int Lit(ReadOnlySpan<uint> row)
    {
        int lit = 0;
        foreach (uint pixel in row)
            lit += (pixel & 0xFFFFFF) == 0 ? 0 : 1;
        return lit;
    }
}
