namespace VfioUser.Network;

/// <summary>Keeps the frames that are sent to it.</summary>
internal sealed class CollectingPort(PortOffloads offloads = PortOffloads.None) : INetworkPort
{
    private readonly Lock _lock = new();
    private readonly List<(byte[] Bytes, FrameOffload Offload)> _sent = [];

    public PortOffloads Offloads => offloads;

    /// <summary>Called on the sender's thread, with each frame.</summary>
    public Action<byte[]>? Arrived { get; set; }

    public IReadOnlyList<(byte[] Bytes, FrameOffload Offload)> Sent
    {
        get
        {
            lock (_lock)
                return [.. _sent];
        }
    }

    public IReadOnlyList<byte[]> Frames => [.. Sent.Select(static frame => frame.Bytes)];

    public void Send(in NetworkFrame frame)
    {
        byte[] bytes = new byte[frame.Length];
        if (!frame.TryCopyTo(0, bytes))
            return;
        lock (_lock)
            _sent.Add((bytes, frame.Offload));
        Arrived?.Invoke(bytes);
    }

    /// <summary>Waits until as many frames were sent.</summary>
    public IReadOnlyList<byte[]> WaitFor(int count)
    {
        if (!SpinWait.SpinUntil(() => Sent.Count >= count, TimeSpan.FromSeconds(60)))
            throw new TimeoutException($"{Sent.Count} frames have come, not {count}.");
        return Frames;
    }
}
