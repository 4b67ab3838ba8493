namespace VfioUser.Virtio;

/// <summary>Where the guest has put the three areas of a queue.</summary>
/// <param name="Descriptors">The descriptor table, or the ring of a packed one.</param>
/// <param name="Driver">Written by the driver: available ring, or driver event suppression.</param>
/// <param name="Device">Written by the device: used ring, or device event suppression.</param>
/// <remarks>VIRTIO 1.3 2.6 "Virtqueues".</remarks>
internal readonly record struct RingAddresses(Iova Descriptors, Iova Driver, Iova Device);
