namespace VfioUser.Virtio;

/// <summary>What a socket device is made with. Immutable.</summary>
public sealed record VirtioVsockOptions
{
    /// <summary>The guest's address: 3 to 4294967294, unique among the guests of a host.</summary>
    public uint GuestCid { get; init; } = 3;

    /// <summary>How many connections there are at most, both ways together: 1 to 65536. What is asked for beyond is refused.</summary>
    public int MaxConnections { get; init; } = 1024;

    /// <summary>How many bytes of each direction of a connection wait for their reader at most: 4 KiB to 16 MiB.</summary>
    public int BufferSize { get; init; } = 256 << 10;

    internal void Check()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(GuestCid, 3u, nameof(GuestCid));
        ArgumentOutOfRangeException.ThrowIfEqual(GuestCid, uint.MaxValue, nameof(GuestCid));
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxConnections, 1, nameof(MaxConnections));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(MaxConnections, 1 << 16, nameof(MaxConnections));
        ArgumentOutOfRangeException.ThrowIfLessThan(BufferSize, 4 << 10, nameof(BufferSize));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(BufferSize, 16 << 20, nameof(BufferSize));
    }
}
