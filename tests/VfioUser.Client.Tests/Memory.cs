namespace VfioUser.Client.Tests;

/// <summary>A little memory from address 0x1000 on that the server reaches by message.</summary>
internal sealed class Memory : IDmaHandler
{
    public const ulong Start = 0x1000;

    public byte[] Bytes { get; } = new byte[ProtocolLimits.MaxDataTransferSize];

    /// <summary>Called before each access.</summary>
    public Action? Before { get; init; }

    public Errno Read(ulong address, Span<byte> destination)
    {
        Before?.Invoke();
        if (destination.IsEmpty)
            return Errno.None;
        if (address < Start || address - Start + (ulong)destination.Length > (ulong)Bytes.Length)
            return Errno.ENODEV;
        Bytes.AsSpan((int)(address - Start), destination.Length).CopyTo(destination);
        return Errno.None;
    }

    public Errno Write(ulong address, ReadOnlySpan<byte> source)
    {
        Before?.Invoke();
        if (source.IsEmpty)
            return Errno.None;
        if (address < Start || address - Start + (ulong)source.Length > (ulong)Bytes.Length)
            return Errno.ENODEV;
        source.CopyTo(Bytes.AsSpan((int)(address - Start)));
        return Errno.None;
    }
}
