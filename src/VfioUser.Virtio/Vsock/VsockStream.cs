using System.IO.Pipelines;

namespace VfioUser.Virtio;

/// <summary>A connection with a program in the guest.</summary>
/// <remarks>
/// <para>Any thread, but one reader and one writer at a time. A read returns 0 when the guest has closed its end; it throws an
/// <see cref="IOException"/> when the connection was reset. What is written after that is dropped.</para>
/// <para>Disposing it closes the connection when the guest has all that was written.</para>
/// </remarks>
public sealed class VsockStream : Stream
{
    private readonly VsockConnection _connection;
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly Stream _reading;
    private readonly Stream _writing;
    private int _isDisposed;

    internal VsockStream(VsockConnection connection, PipeReader input, PipeWriter output)
    {
        (_connection, _input, _output) = (connection, input, output);
        (_reading, _writing) = (input.AsStream(leaveOpen: true), output.AsStream(leaveOpen: true));
    }

    /// <summary>The port in the guest.</summary>
    public uint GuestPort => _connection.GuestPort;

    /// <summary>The port at this end.</summary>
    public uint HostPort => _connection.HostPort;

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Says that nothing more is written: the guest reads to the end. Reading goes on.</summary>
    public void CompleteWrites() => _output.Complete();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Note(_reading.Read(buffer, offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer) => Note(_reading.Read(buffer));

    /// <inheritdoc/>
    public override async Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Note(await _reading.ReadAsync(buffer.AsMemory(offset, count), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Note(await _reading.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => _writing.Write(buffer, offset, count);

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer) => _writing.Write(buffer);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _writing.WriteAsync(buffer, offset, count, cancellationToken);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _writing.WriteAsync(buffer, cancellationToken);

    /// <inheritdoc/>
    public override void Flush() => _writing.Flush();

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => _writing.FlushAsync(cancellationToken);

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>Resets the connection: what the guest has not read is lost.</summary>
    internal void Abort(Exception cause)
    {
        _output.Complete(cause);
        Dispose();
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            _connection.IsInputClosed = true;
            // who waits for more is told
            _input.CancelPendingRead();
            _input.Complete();
            _output.Complete();
            _connection.Send(VsockDue.None);
        }
        base.Dispose(disposing);
    }

    private int Note(int count)
    {
        if (count > 0)
            _connection.Read(count);
        return count;
    }
}
