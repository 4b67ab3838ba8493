using System.Diagnostics;
using Framebuffer.Device;

namespace Framebuffer.Web;

/// <summary>A copy of the picture, with the number of the last change of each row.</summary>
/// <remarks>
/// Any thread. There is no queue and no thread of its own: a viewer polls when it is ready for more, and gets the rows that
/// have changed since its last poll. So a slow viewer gets fewer pictures and does not delay others, and without viewers
/// there is no work.
/// </remarks>
internal sealed class Screen(BochsDisplay display)
{
    /// <summary>How often a viewer polls.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1.0 / 30);

    private readonly Lock _lock = new();
    private int _width;
    private int _height;
    private byte[] _pixels = [];
    private long[] _changes = []; // for each row, the number of its last change
    private long _change = 1;
    private long _updatedAt;

    /// <summary>Writes a message with the rows that have changed since a viewer's last poll.</summary>
    /// <param name="seen">The last change that the viewer has, 0 for none; updated.</param>
    /// <param name="message">Left alone if nothing has changed.</param>
    public void Read(ref long seen, ScreenMessage message)
    {
        lock (_lock)
        {
            Update();
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

    private void Update()
    {
        // many viewers share one copy
        if (_updatedAt != 0 && Stopwatch.GetElapsedTime(_updatedAt) < Interval / 2)
            return;
        _updatedAt = Stopwatch.GetTimestamp();
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
