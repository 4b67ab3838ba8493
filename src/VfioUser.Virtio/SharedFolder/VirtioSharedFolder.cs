using System.Text;

namespace VfioUser.Virtio;

/// <summary>A folder of the host in a guest: <c>mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt</c>.</summary>
/// <remarks>
/// <para>The guest sees what is below the folder, and nothing else: links are followed in the guest, and devices of the host are not opened.
/// It has the rights of this process there. What it makes belongs to this process, unless that may give files away, and has no
/// set-user-ID or set-group-ID bit.</para>
/// <para>The device cannot be migrated: open files are this process's.</para>
/// <para>VIRTIO 1.3 5.14 "9P transport".</para>
/// </remarks>
public sealed class VirtioSharedFolder : VirtioDevice
{
    private const int QueueSize = 128;
    private const ulong MountTag = 1 << 0;

    private readonly NinePServer _server;
    private readonly byte[] _request;
    private readonly byte[] _answer;

    /// <summary>Opens the folder.</summary>
    /// <param name="path">Of the host. If it is a link, its target; what it stands for later does not matter.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">The options are not valid.</exception>
    /// <exception cref="IOException">The folder cannot be opened.</exception>
    public VirtioSharedFolder(string path, VirtioSharedFolderOptions? options = null)
        : base(VirtioDeviceType.Transport9P, queues: 1, MountTag | (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder))
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        options ??= new VirtioSharedFolderOptions();
        options.Check();
        _request = new byte[options.MaxMessage];
        _answer = new byte[options.MaxMessage];
        AddQueue("requests", QueueSize, Serve, ownThread: true);
        byte[] tag = Encoding.ASCII.GetBytes(options.Tag);
        SetConfig([(byte)tag.Length, 0, .. tag]);
        _server = new NinePServer(path, options);
    }

    /// <summary>How many files the guest has numbers for. Any thread.</summary>
    public int Files => _server.Files;

    /// <inheritdoc/>
    protected override void OnDriverGone() => _server.Clear();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
            _server.Dispose();
    }

    private void Serve(VirtioChain chain)
    {
        long length = chain.Readable.Length;
        if (length < NinePServer.HeaderLength || length > _request.Length || chain.Writable.Length < NinePServer.HeaderLength + sizeof(uint))
        {
            DriverFailed($"a request has {length} bytes, and room for an answer of {chain.Writable.Length}");
            chain.Complete();
            return;
        }
        Span<byte> request = _request.AsSpan(0, (int)length);
        if (!chain.Readable.TryRead(0, request))
        {
            chain.Complete();
            return;
        }
        int answered = _server.Serve(request, _answer, (int)Math.Min(chain.Writable.Length, _answer.Length));
        chain.Complete(chain.Writable.TryWrite(0, _answer.AsSpan(0, answered)) ? answered : 0);
    }
}
