namespace VfioUser.Disks;

/// <summary>Blocks of an NBD server, over TCP or a UNIX socket: qemu-nbd, nbdkit, nbd-server and others.</summary>
/// <remarks>
/// <para>Any thread. Many requests are in flight on one connection. If it is lost, the disk connects again, and sends again what had no
/// answer; the guest waits meanwhile.</para>
/// <para>The server is not trusted with more than the bytes: what it says is checked. It can keep the guest waiting.</para>
/// </remarks>
public sealed class NbdDisk : Disk
{
    // what a request without data may be about: any server takes it
    private const long LongestRange = 1L << 30;

    private readonly NbdDiskOptions _options;
    private readonly NbdClient _client;

    private NbdDisk(NbdAddress address, string identity, NbdDiskOptions options, NbdConnection connection)
    {
        _options = options;
        Identity = identity;
        NbdExport export = connection.Export;
        IsReadOnly = options.IsReadOnly || export.Can(NbdFeatures.ReadOnly);
        HasVolatileCache = export.Can(NbdFeatures.Flush);
        Hints = new DiskHints
        {
            BlockSize = export.MinBlock > 512 ? export.MinBlock : 0,
            PreferredWriteLength = export.PreferredBlock > 512 ? export.PreferredBlock : 0,
        };
        _client = new NbdClient(address, options, connection, OnSizeChanged);
    }

    /// <inheritdoc/>
    public override long Size => _client.Export.Size;

    /// <summary>The export's address, as it was given.</summary>
    public override string Identity { get; }

    /// <inheritdoc/>
    public override bool IsReadOnly { get; }

    /// <summary>Whether the server has one, or has a file whose page cache is one: whether it can flush.</summary>
    public override bool HasVolatileCache { get; }

    /// <inheritdoc/>
    public override bool MayBlock => false;

    /// <inheritdoc/>
    public override DiskHints Hints { get; }

    /// <summary>Connects to an export.</summary>
    /// <param name="address"><c>nbd://host[:port]/export</c> or <c>nbd+unix:///export?socket=path</c>, with escapes as in any URI.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="ArgumentException">It is no such address.</exception>
    /// <exception cref="IOException">The server cannot be reached, is none, or does not give the export. The message says which.</exception>
    public static async Task<NbdDisk> ConnectAsync(string address, NbdDiskOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        options ??= new NbdDiskOptions();
        NbdAddress parsed = NbdAddress.Parse(address);
        NbdConnection connection = await Task.Run(() => NbdConnection.Open(parsed, options.ConnectTimeout, cancellation), cancellation).ConfigureAwait(false);
        try
        {
            if (connection.Export.Size == 0)
                throw new IOException($"{address} is empty.");
            if (connection.Export.MinBlock > 4096)
                throw new IOException($"{address} has blocks of {connection.Export.MinBlock} bytes, which no namespace can have.");
            return new NbdDisk(parsed, address, options, connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override ValueTask ReadAsync(long offset, Memory<byte> destination, CancellationToken cancellation = default) =>
        destination.Length <= _client.Export.MaxPayload ? _client.RequestAsync(NbdCommand.Read, 0, offset, destination.Length, destination, cancellation: cancellation)
            : ReadInPieces(offset, destination, cancellation);

    /// <inheritdoc/>
    public override ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) =>
        WriteAsync(offset, source, 0, cancellation);

    internal override ValueTask ReadInlineAsync(long offset, Memory<byte> destination, CancellationToken cancellation) =>
        destination.Length <= _client.Export.MaxPayload
            ? _client.RequestAsync(NbdCommand.Read, 0, offset, destination.Length, destination, isInline: true, cancellation: cancellation)
            : ReadInPieces(offset, destination, cancellation);

    internal override ValueTask WriteInlineAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation) =>
        WriteAsync(offset, source, 0, cancellation, isInline: true);

    internal override void Submit() => _client.Submit();

    /// <inheritdoc/>
    public override ValueTask WriteDurablyAsync(long offset, ReadOnlyMemory<byte> source, CancellationToken cancellation = default) =>
        _client.Export.Can(NbdFeatures.ForceUnitAccess) ? WriteAsync(offset, source, NbdProtocol.ForceUnitAccess, cancellation)
            : base.WriteDurablyAsync(offset, source, cancellation);

    /// <inheritdoc/>
    public override ValueTask WriteZeroesAsync(long offset, long length, bool deallocate, CancellationToken cancellation = default) =>
        _client.Export.Can(NbdFeatures.WriteZeroes) ? OnRangeAsync(NbdCommand.WriteZeroes, deallocate ? (ushort)0 : NbdProtocol.NoHole, offset, length, cancellation)
            : base.WriteZeroesAsync(offset, length, deallocate, cancellation);

    /// <inheritdoc/>
    public override ValueTask DeallocateAsync(long offset, long length, CancellationToken cancellation = default) =>
        _client.Export.Can(NbdFeatures.Trim) ? OnRangeAsync(NbdCommand.Trim, 0, offset, length, cancellation) : default;

    /// <inheritdoc/>
    protected override async ValueTask WriteBackAsync()
    {
        if (!HasVolatileCache || IsReadOnly)
            return;
        if (!await _client.FlushAsync().ConfigureAwait(false) && _options.ServerMayLoseWrites)
            throw new IOException("The NBD server was away, and may have lost what it had not flushed.");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _client.Dispose();
        base.Dispose(disposing);
    }

    private ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> source, ushort flags, CancellationToken cancellation, bool isInline = false)
    {
        ThrowIfReadOnly();
        if (source.Length > _client.Export.MaxPayload)
            return WriteInPieces(offset, source, flags, cancellation);
        return _client.RequestAsync(NbdCommand.Write, flags, offset, source.Length, source: source, isInline: isInline, cancellation: cancellation);
    }

    private async ValueTask OnRangeAsync(NbdCommand command, ushort flags, long offset, long length, CancellationToken cancellation)
    {
        ThrowIfReadOnly();
        while (length > 0)
        {
            long count = Math.Min(length, LongestRange);
            await _client.RequestAsync(command, flags, offset, count, cancellation: cancellation).ConfigureAwait(false);
            offset += count;
            length -= count;
        }
    }

    private void ThrowIfReadOnly()
    {
        if (IsReadOnly)
            throw new DiskException(DiskError.WriteProtected);
    }

    private async ValueTask ReadInPieces(long offset, Memory<byte> destination, CancellationToken cancellation)
    {
        while (!destination.IsEmpty)
        {
            int length = Math.Min(_client.Export.MaxPayload, destination.Length);
            await _client.RequestAsync(NbdCommand.Read, 0, offset, length, destination[..length], cancellation: cancellation).ConfigureAwait(false);
            offset += length;
            destination = destination[length..];
        }
    }

    private async ValueTask WriteInPieces(long offset, ReadOnlyMemory<byte> source, ushort flags, CancellationToken cancellation)
    {
        while (!source.IsEmpty)
        {
            int length = Math.Min(_client.Export.MaxPayload, source.Length);
            await WriteAsync(offset, source[..length], flags, cancellation).ConfigureAwait(false);
            offset += length;
            source = source[length..];
        }
    }
}
