namespace VfioUser.Virtio;

/// <summary>Feature bits that do not depend on the type of the device. Those of the type are the numbers below 24 and from 50 on.</summary>
/// <remarks>VIRTIO 1.3 6 "Reserved Feature Bits".</remarks>
[Flags]
public enum VirtioFeatures : ulong
{
    /// <summary>None of them.</summary>
    None = 0,

    /// <summary>Descriptors may refer to tables of descriptors.</summary>
    IndirectDescriptors = 1ul << 28,

    /// <summary>Each side says at which buffer it wants the next notification.</summary>
    EventIndex = 1ul << 29,

    /// <summary>A device by this specification, and not one from before it. Always offered, and required of the driver.</summary>
    Version1 = 1ul << 32,

    /// <summary>The device's accesses go through the platform's IOMMU, as those of every PCI device. Always offered.</summary>
    AccessPlatform = 1ul << 33,

    /// <summary>The packed layout of queues.</summary>
    RingPacked = 1ul << 34,

    /// <summary>Buffers are given back in the order in which they were made available: a driver keeps less of them. A device that offers it
    /// may complete them in any order; one that is done early waits for those before it.</summary>
    InOrder = 1ul << 35,

    /// <summary>Memory is ordered as for hardware. Always offered.</summary>
    OrderPlatform = 1ul << 36,

    /// <summary>A notification says how far the driver has come in the queue. A device that offers it takes such notifications; it looks at
    /// the queue itself, as a driver could write anything.</summary>
    NotificationData = 1ul << 38,

    /// <summary>A single queue can be reset.</summary>
    RingReset = 1ul << 40,
}
