using System.Net.WebSockets;

namespace Framebuffer.Web;

/// <summary>Shows the screen to one page, as fast as that takes it, until it goes.</summary>
internal sealed class Viewer(WebSocket socket, Screen screen)
{
    // a page that takes no picture in this time is let go; it comes again if it still lives
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // what is sent lies in the server's buffers until it is taken: so little by little
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
            // this is how a viewer goes
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
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(gone);
        patience.CancelAfter(Patience);
        while (!message.IsEmpty)
        {
            ReadOnlyMemory<byte> piece = message[..Math.Min(message.Length, PieceSize)];
            message = message[piece.Length..];
            await socket.SendAsync(piece, WebSocketMessageType.Binary, endOfMessage: message.IsEmpty, patience.Token);
        }
    }

    // pages have nothing to say: whatever comes, the close most of all, is the end
    private async Task ListenAsync(CancellationTokenSource gone)
    {
        try
        {
            await socket.ReceiveAsync(new byte[1], gone.Token);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, gone.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException)
        {
            // so is this
        }
        await gone.CancelAsync();
    }
}
