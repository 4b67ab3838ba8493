using System.IO.Pipelines;
using System.Net.Sockets;
using VfioUser.Virtio;

namespace Virtio.Ports;

/// <summary>A UNIX socket for a port of a console: who connects there is at its other end, one after the other.</summary>
internal sealed class PortSocket : IAsyncDisposable
{
    private readonly VirtioConsolePort _port;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly string _path;
    private readonly Task _serving;

    /// <exception cref="IOException">The socket cannot be made.</exception>
    public PortSocket(VirtioConsolePort port, string path)
    {
        (_port, _path) = (port, path);
        port.IsConnected = false;
        try
        {
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
        }
        catch (SocketException e)
        {
            _listener.Dispose();
            _stop.Dispose();
            throw new IOException($"{path}: {e.Message}", e);
        }
        _serving = ServeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _serving;
        _listener.Dispose();
        _stop.Dispose();
        File.Delete(_path);
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                await using NetworkStream client = new(await _listener.AcceptAsync(_stop.Token), ownsSocket: true);
                _port.IsConnected = true;
                await ServeAsync(client);
                _port.IsConnected = false;
            }
        }
        catch (OperationCanceledException)
        {
            // the end
        }
    }

    private async Task ServeAsync(NetworkStream client)
    {
        using CancellationTokenSource gone = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        Task sending = SendAsync(client, gone.Token);
        try
        {
            await client.CopyToAsync(_port.Output.AsStream(leaveOpen: true), gone.Token);
        }
        catch (IOException e)
        {
            await Console.Error.WriteLineAsync($"virtio: {_path}: {e.Message}");
        }
        finally
        {
            await gone.CancelAsync();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task SendAsync(NetworkStream client, CancellationToken gone)
    {
        while (true)
        {
            ReadResult read = await _port.Input.ReadAsync(gone);
            try
            {
                foreach (ReadOnlyMemory<byte> piece in read.Buffer)
                    await client.WriteAsync(piece, gone);
            }
            finally
            {
                _port.Input.AdvanceTo(read.Buffer.End);
            }
        }
    }
}
