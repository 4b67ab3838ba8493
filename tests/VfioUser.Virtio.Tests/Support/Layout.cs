namespace VfioUser.Virtio.Tests;

/// <summary>How a driver lays its queues out.</summary>
public enum Layout
{
    Split,
    SplitWithEvents,
    SplitIndirect,
    Packed,
    PackedWithEvents,
    PackedIndirect,
}
