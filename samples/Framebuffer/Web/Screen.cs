using System.Diagnostics;
using Framebuffer.Device;

namespace Framebuffer.Web;

/// <summary>The picture as it was last looked at, and for every row when it changed.</summary>
/// <remarks>
/// Any thread. There is no queue and no thread of its own: viewers look when they are ready for more, and get what has
/// changed since they looked last. So a slow one sees fewer pictures, costs the others nothing, and while there are no
/// viewers there is no work.
/// </remarks>
internal sealed class Screen(BochsDisplay display)
{
    /// <summary>How often a viewer looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1.0 / 30);

    private readonly Lock _lock = new();
    private int _width;
    private int _height;
    private byte[] _pixels = [];
    private long[] _changes = []; // of each row: the number of the change that it was part of
    private long _change = 1;
    private long _lookedAt;

    /// <summary>Writes a message with what has changed since a viewer looked last.</summary>
    /// <param name="seen">The last change that the viewer knows, 0 for none; moved on.</param>
    /// <param name="message">Written to if there is something to tell.</param>
    public void Read(ref long seen, ScreenMessage message)
    {
        lock (_lock)
        {
            Look();
            if (seen == _change)
                return;
            message.Begin(_width, _height);
            for (int row = 0; row < _height; row++)
            {
                int first = row;
                while (row < _height && _changes[row] > seen)
                    row++;
                if (row > first)
                    message.AddRows(first, row - first, _pixels.AsSpan(first * RowBytes, (row - first) * RowBytes));
            }
            seen = _change;
        }
    }

    private int RowBytes => _width * DisplayMode.BytesPerPixel;

    private void Look()
    {
        // many viewers are no more work than one
        if (_lookedAt != 0 && Stopwatch.GetElapsedTime(_lookedAt) < Interval / 2)
            return;
        _lookedAt = Stopwatch.GetTimestamp();
        DisplayMode? mode = display.Mode;
        Resize(mode?.Width ?? 0, mode?.Height ?? 0);
        long next = _change + 1;
        for (int row = 0; row < _height; row++)
        {
            ReadOnlySpan<byte> now = display.Row(mode!.Value, row);
            Span<byte> before = _pixels.AsSpan(row * RowBytes, RowBytes);
            if (now.SequenceEqual(before))
                continue;
            now.CopyTo(before);
            _changes[row] = next;
            _change = next;
        }
    }

    private void Resize(int width, int height)
    {
        if (width == _width && height == _height)
            return;
        _width = width;
        _height = height;
        _pixels = new byte[height * RowBytes];
        _changes = new long[height];
        _change++;
        Array.Fill(_changes, _change);
    }
}
