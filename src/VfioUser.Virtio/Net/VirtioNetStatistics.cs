namespace VfioUser.Virtio;

/// <summary>What a network device has done since it was created. Immutable.</summary>
public readonly record struct VirtioNetStatistics
{
    /// <summary>Frames that the guest has sent.</summary>
    public long FramesSent { get; internal init; }

    /// <summary>Their bytes.</summary>
    public long BytesSent { get; internal init; }

    /// <summary>Frames of the guest that are none, or are not in its memory, or were sent without a link.</summary>
    public long SendErrors { get; internal init; }

    /// <summary>Frames that the guest has received.</summary>
    public long FramesReceived { get; internal init; }

    /// <summary>Their bytes.</summary>
    public long BytesReceived { get; internal init; }

    /// <summary>Frames for the guest that were lost: it had no room for too long, or its buffers were too short or in no memory.</summary>
    public long ReceiveDrops { get; internal init; }
}
