using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>What is before the data of a packet.</summary>
/// <remarks>VIRTIO 1.3 5.10.6: virtio_vsock_hdr.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct VsockHeader
{
    public const int Size = 44;
    public const ushort Stream = 1;

    public ulong SourceCid;
    public ulong DestinationCid;
    public uint SourcePort;
    public uint DestinationPort;
    public uint DataLength;
    public ushort Type;
    public VsockOperation Operation;
    public VsockShutdown Flags;
    public uint BufferSize;
    public uint Forwarded;

    /// <summary>The answer to a packet that belongs to no connection.</summary>
    public readonly VsockHeader ToReset() => new()
    {
        SourceCid = DestinationCid,
        DestinationCid = SourceCid,
        SourcePort = DestinationPort,
        DestinationPort = SourcePort,
        Type = Type,
        Operation = VsockOperation.Reset,
    };

    /// <summary>Reads a header that the driver has made available.</summary>
    public static bool TryRead(VirtioChain chain, out VsockHeader header)
    {
        header = default;
        return chain.Readable.TryRead(0, MemoryMarshal.AsBytes(new Span<VsockHeader>(ref header)));
    }

    /// <summary>Writes it to the beginning of a buffer.</summary>
    public readonly bool TryWriteTo(VirtioChain chain) =>
        chain.Writable.TryWrite(0, MemoryMarshal.AsBytes(new ReadOnlySpan<VsockHeader>(in this)));
}
