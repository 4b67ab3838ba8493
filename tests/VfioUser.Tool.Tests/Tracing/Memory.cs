using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests.Tracing;

/// <summary>A page of guest memory at 0x10000 that answers the server's messages.</summary>
internal sealed class Memory : IDmaHandler
{
    public const ulong Start = 0x10000;

    public byte[] Bytes { get; } = new byte[4096];

    public Errno Read(ulong address, Span<byte> destination)
    {
        Bytes.AsSpan((int)(address - Start), destination.Length).CopyTo(destination);
        return Errno.None;
    }

    public Errno Write(ulong address, ReadOnlySpan<byte> source)
    {
        source.CopyTo(Bytes.AsSpan((int)(address - Start)));
        return Errno.None;
    }
}
