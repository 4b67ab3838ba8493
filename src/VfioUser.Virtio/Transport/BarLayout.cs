namespace VfioUser.Virtio;

/// <summary>What lies where in the device's BAR. Each structure is on a page of its own.</summary>
internal static class BarLayout
{
    public const int Bar = 0;

    public const int Common = 0x0000;
    public const int CommonLength = 0x40;

    public const int Isr = 0x1000;
    public const int IsrLength = 1;

    public const int DeviceConfig = 0x2000;
    public const int DeviceConfigLength = 0x1000;

    public const int Notify = 0x3000;
    public const int NotifyStride = 4;
    public const int NotifyLength = 0x1000;

    public const int MsiXTable = 0x4000;
    public const int PendingBits = 0xC000;

    public const int Length = 0x10000;

    /// <summary>Most queues that the notification area has room for.</summary>
    public const int MaxQueues = NotifyLength / NotifyStride;
}
