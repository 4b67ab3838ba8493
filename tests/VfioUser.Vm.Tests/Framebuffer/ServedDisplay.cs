using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Framebuffer.Device;

namespace VfioUser.Vm.Tests.Framebuffer;

/// <summary>A display, served by this process on a socket of its own.</summary>
internal sealed class ServedDisplay : IAsyncDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("display-");
    private readonly BochsDisplay _display = new();
    private readonly VfioUserServer _server;
    private readonly Task _serving;

    public ServedDisplay()
    {
        SocketPath = Path.Combine(_folder.FullName, "display.sock");
        _server = VfioUserServer.Bind(SocketPath);
        _serving = _server.RunAsync(_display);
    }

    public string SocketPath { get; }

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

    public async ValueTask DisposeAsync()
    {
        _server.Dispose();
        await _serving.WaitAsync(Timeout);
        _folder.Delete(recursive: true);
    }

    private static int Lit(ReadOnlySpan<uint> row)
    {
        int lit = 0;
        foreach (uint pixel in row)
            lit += (pixel & 0xFFFFFF) == 0 ? 0 : 1;
        return lit;
    }
}
