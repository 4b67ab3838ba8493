using System.Threading.Channels;

namespace VfioUser.Virtio;

/// <summary>A port of the host that programs in the guest connect to.</summary>
/// <remarks>Any thread. Disposing it ends the listening, and resets connections that were not accepted.</remarks>
public sealed class VsockListener : IDisposable
{
    private const int Backlog = 128;

    private readonly VsockConnections _connections;
    private readonly Channel<VsockStream> _waiting = Channel.CreateBounded<VsockStream>(Backlog);

    internal VsockListener(VsockConnections connections, uint? port) => (_connections, Port) = (connections, port);

    /// <summary>The port; null for all on which nobody else listens.</summary>
    public uint? Port { get; }

    /// <summary>Waits for the next connection. The guest has it already: up to 128 wait here.</summary>
    /// <exception cref="ObjectDisposedException">The listener is disposed.</exception>
    public async ValueTask<VsockStream> AcceptAsync(CancellationToken cancellation = default)
    {
        try
        {
            return await _waiting.Reader.ReadAsync(cancellation).ConfigureAwait(false);
        }
        catch (ChannelClosedException e)
        {
            throw new ObjectDisposedException("Nobody listens any more.", e);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _connections.Remove(this);
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out VsockStream? stream))
            stream.Abort(new IOException("Nobody listens any more."));
    }

    /// <summary>Worker: a connection of the guest.</summary>
    /// <returns>False if too many wait.</returns>
    internal bool Offer(VsockStream stream) => _waiting.Writer.TryWrite(stream);
}
