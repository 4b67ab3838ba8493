using System.Net.WebSockets;

namespace Framebuffer.Web;

/// <summary>Sends the screen to one page, as fast as the page receives, until it disconnects.</summary>
internal sealed class Viewer(WebSocket socket, Screen screen)
{
    // a page that does not receive a picture in this time is disconnected; a live one connects again
    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(30);

    // small pieces, because the server buffers each until the page receives it
    private const int PieceSize = 64 << 10;

    public async Task ShowAsync(CancellationToken stop)
    {
        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task listening = ListenAsync(gone);
        try
        {
            await SendChangesAsync(gone.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            // the viewer has disconnected
        }
        finally
        {
            await gone.CancelAsync();
            await listening;
        }
    }

    private async Task SendChangesAsync(CancellationToken gone)
    {
        ScreenMessage message = new();
        long seen = 0;
        using PeriodicTimer timer = new(Screen.Interval);
        do
        {
            message.Clear();
            screen.Read(ref seen, message);
            if (!message.Bytes.IsEmpty)
                await SendAsync(message.Bytes, gone);
        }
        while (await timer.WaitForNextTickAsync(gone));
    }

    private async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken gone)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(gone);
        timeout.CancelAfter(SendTimeout);
        while (!message.IsEmpty)
        {
            ReadOnlyMemory<byte> piece = message[..Math.Min(message.Length, PieceSize)];
            message = message[piece.Length..];
            await socket.SendAsync(piece, WebSocketMessageType.Binary, endOfMessage: message.IsEmpty, timeout.Token);
        }
    }

    // a page sends nothing but its close, so any message ends the connection
    private async Task ListenAsync(CancellationTokenSource gone)
    {
        try
        {
            await socket.ReceiveAsync(new byte[1], gone.Token);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, gone.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            // the viewer has disconnected
        }
        await gone.CancelAsync();
    }
}
