using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace VfioUser.Virtio;

/// <summary>UNIX sockets of the host as the other ends of a guest's sockets, as Firecracker and vhost-device-vsock have them.</summary>
/// <remarks>
/// <para>A program connects to PATH, sends <c>CONNECT port</c> and a line feed, and is answered <c>OK hostport</c> and a line feed: then it
/// is connected with the program that listens there in the guest; or its connection is closed. A program in the guest that connects to the
/// host's port N is connected with PATH_N, if there is such a socket.</para>
/// <para>Who may open the paths may connect: keep them in a folder of their own.</para>
/// </remarks>
public sealed class VsockUnixSockets : IAsyncDisposable
{
    private const int MaxLine = 32;
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(100);

    private readonly VirtioVsock _device;
    private readonly string _path;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, bool> _served = new();
    private readonly VsockListener _guest;
    private readonly Task _fromHost;
    private readonly Task _fromGuest;

    /// <summary>Listens, and connects, for one device.</summary>
    /// <param name="device">Listens already where it should itself. It stays the caller's.</param>
    /// <param name="path">Where programs of the host connect. Nothing must be there; it is removed at the end.</param>
    /// <exception cref="SocketException">The socket cannot be made, or the device has such sockets already.</exception>
    public VsockUnixSockets(VirtioVsock device, string path)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentException.ThrowIfNullOrEmpty(path);
        (_device, _path) = (device, path);
        try
        {
            _listener.Bind(new UnixDomainSocketEndPoint(path));
            _listener.Listen();
            _guest = device.ListenElsewhere(port => File.Exists(PathOf(port)));
        }
        catch
        {
            _listener.Dispose();
            _stop.Dispose();
            throw;
        }
        _fromHost = AcceptFromHostAsync();
        _fromGuest = AcceptFromGuestAsync();
    }

    /// <summary>Ends the listening and all connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync().ConfigureAwait(false);
        _guest.Dispose();
        await Task.WhenAll([_fromHost, _fromGuest]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_served.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        File.Delete(_path);
        _stop.Dispose();
    }

    private string PathOf(uint port) => string.Create(CultureInfo.InvariantCulture, $"{_path}_{port}");

    private async Task AcceptFromHostAsync()
    {
        while (true)
        {
            try
            {
                Serve(ServeHostAsync(await _listener.AcceptAsync(_stop.Token).ConfigureAwait(false)));
            }
            catch (SocketException e)
            {
                // such as too many open files: somebody will close some
                Log.HostSocketFailed(_device.Logger, _path, e.Message);
                await Task.Delay(RetryInterval, _stop.Token).ConfigureAwait(false);
            }
        }
    }

    private async Task AcceptFromGuestAsync()
    {
        while (true)
        {
            VsockStream stream = await _guest.AcceptAsync(_stop.Token).ConfigureAwait(false);
            Serve(ServeGuestAsync(stream));
        }
    }

    private void Serve(Task connection)
    {
        _served[connection] = true;
        _ = connection.ContinueWith(ended => _served.TryRemove(ended, out _), TaskScheduler.Default);
    }

    private async Task ServeGuestAsync(VsockStream guest)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(PathOf(guest.HostPort)), _stop.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            guest.Abort(e);
            return;
        }
        await JoinAsync(socket, guest).ConfigureAwait(false);
    }

    private async Task ServeHostAsync(Socket socket)
    {
        using (socket)
        {
            VsockStream guest;
            try
            {
                if (await ReadPortAsync(socket).ConfigureAwait(false) is not { } port)
                    return;
                guest = await _device.ConnectAsync(port, _stop.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // closing it is the answer
                return;
            }
            byte[] ok = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"OK {guest.HostPort}\n"));
            await JoinAsync(socket, guest, ok).ConfigureAwait(false);
        }
    }

    // What follows the line belongs to the connection: it is read byte by byte.
    private async Task<uint?> ReadPortAsync(Socket socket)
    {
        byte[] line = new byte[MaxLine];
        for (int length = 0; length < line.Length; length++)
        {
            if (await socket.ReceiveAsync(line.AsMemory(length, 1), SocketFlags.None, _stop.Token).ConfigureAwait(false) == 0)
                return null;
            if (line[length] != (byte)'\n')
                continue;
            string text = Encoding.ASCII.GetString(line, 0, length);
            return text.Split(' ') is ["CONNECT", var port] && uint.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
                ? number : null;
        }
        return null;
    }

    private async Task JoinAsync(Socket socket, VsockStream guest, byte[]? first = null)
    {
        NetworkStream host = new(socket, ownsSocket: false);
        await using (host.ConfigureAwait(false))
        {
            using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            try
            {
                if (first is not null)
                    await host.WriteAsync(first, end.Token).ConfigureAwait(false);
                Task toHost = CopyAsync(guest, host, () => socket.Shutdown(SocketShutdown.Send), end);
                Task toGuest = CopyAsync(host, guest, guest.CompleteWrites, end);
                await Task.WhenAll(toHost, toGuest).ConfigureAwait(false);
                await guest.DisposeAsync().ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
            {
                guest.Abort(e);
            }
        }
    }

    // One way, to its end; a failure is the end of the other way too.
    private static async Task CopyAsync(Stream from, Stream to, Action end, CancellationTokenSource failed)
    {
        try
        {
            await from.CopyToAsync(to, failed.Token).ConfigureAwait(false);
            end();
        }
        catch
        {
            await failed.CancelAsync().ConfigureAwait(false);
            throw;
        }
    }
}
