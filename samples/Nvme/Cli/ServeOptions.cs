using VfioUser.Disks;
using VfioUser.Nvme;

namespace Nvme.Cli;

/// <summary>Options of <c>serve</c> on the command line. Immutable.</summary>
/// <param name="Sockets">The sockets' paths: a controller each, which share the disks if there are several.</param>
/// <param name="Disks">Files or block devices, a namespace each; none for a disk in memory.</param>
/// <param name="Size">In bytes: of the disk in memory, and of files that do not exist yet.</param>
/// <param name="Cache">How files use the kernel's page cache.</param>
/// <param name="ReadOnly">Whether the guest may not write.</param>
/// <param name="Incoming">Whether another host has the disks until its guest has migrated here.</param>
/// <param name="TrustClientMemory">Whether guest memory is mapped even if its file could shrink.</param>
/// <param name="Reservations">A folder for what is kept of reservations; null if nothing is.</param>
/// <param name="View">Whether rates and queues are shown on the terminal.</param>
/// <param name="Controller">Options of the controller.</param>
internal sealed record ServeOptions(IReadOnlyList<string> Sockets, IReadOnlyList<string> Disks, long? Size, FileCacheMode Cache, bool ReadOnly, bool Incoming, bool TrustClientMemory, string? Reservations, bool View, NvmeControllerOptions Controller);
