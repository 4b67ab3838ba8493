using System.Net.WebSockets;

namespace Framebuffer.Tests.Support;

/// <summary>Receives the screen as the page does, without a browser.</summary>
internal sealed class PageDouble : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly ClientWebSocket _socket = new();
    private readonly MemoryStream _message = new();

    public int Width { get; private set; }

    public int Height { get; private set; }

    /// <summary>Row after row; a pixel is 0xRRGGBB.</summary>
    public uint[] Pixels { get; private set; } = [];

    /// <summary>First row and number of rows that came with the last message.</summary>
    public List<(int Top, int Rows)> LastRows { get; } = [];

    public static async Task<PageDouble> OpenAsync(Uri page, string? origin = null)
    {
        PageDouble opened = new();
        if (origin is not null)
            opened._socket.Options.SetRequestHeader("Origin", origin);
        try
        {
            await opened._socket.ConnectAsync(new UriBuilder(page) { Scheme = "ws", Path = "/screen" }.Uri, CancellationToken.None).WaitAsync(Timeout);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Receives messages until the picture is as expected.</summary>
    public async Task WaitUntilAsync(Func<PageDouble, bool> isExpected)
    {
        while (!isExpected(this))
            await ReceiveAsync();
    }

    public async Task ReceiveAsync()
    {
        _message.SetLength(0);
        byte[] piece = new byte[64 << 10];
        WebSocketReceiveResult result;
        do
        {
            result = await _socket.ReceiveAsync(piece, CancellationToken.None).WaitAsync(Timeout);
            result.MessageType.Should().Be(WebSocketMessageType.Binary);
            _message.Write(piece, 0, result.Count);
        }
        while (!result.EndOfMessage);
        Apply(_message.ToArray());
    }

    public Task CloseAsync() => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None).WaitAsync(Timeout);

    public void Dispose()
    {
        _socket.Dispose();
        _message.Dispose();
    }

    private void Apply(ReadOnlySpan<byte> message)
    {
        int width = BitConverter.ToUInt16(message);
        int height = BitConverter.ToUInt16(message[2..]);
        if (width != Width || height != Height)
            Pixels = new uint[width * height];
        (Width, Height) = (width, height);
        LastRows.Clear();
        for (message = message[4..]; !message.IsEmpty;)
        {
            int top = BitConverter.ToUInt16(message);
            int rows = BitConverter.ToUInt16(message[2..]);
            LastRows.Add((top, rows));
            ReadOnlySpan<byte> rgba = message.Slice(4, 4 * width * rows);
            for (int i = 0; i < width * rows; i++)
            {
                if (rgba[4 * i + 3] != 255)
                    throw new InvalidDataException("A pixel that one can see through.");
                Pixels[top * width + i] = (uint)(rgba[4 * i] << 16 | rgba[4 * i + 1] << 8 | rgba[4 * i + 2]);
            }
            message = message[(4 + rgba.Length)..];
        }
    }
}
