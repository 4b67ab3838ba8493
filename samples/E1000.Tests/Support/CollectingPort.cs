using E1000.Network;

namespace E1000.Tests.Support;

/// <summary>Keeps the frames that are sent to it.</summary>
internal sealed class CollectingPort : INetworkPort
{
    private readonly Lock _lock = new();
    private readonly List<byte[]> _frames = [];

    public IReadOnlyList<byte[]> Frames
    {
        get
        {
            lock (_lock)
                return [.. _frames];
        }
    }

    public void Send(ReadOnlySpan<byte> frame)
    {
        lock (_lock)
            _frames.Add(frame.ToArray());
    }
}
