namespace VfioUser.Virtio.Tests.Block;

/// <summary>A request that a driver has not waited for.</summary>
/// <param name="Id">The buffer's.</param>
/// <param name="Status">Where the device says how it ended.</param>
internal readonly record struct PendingRequest(ushort Id, Iova Status);
