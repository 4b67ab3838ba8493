using Nvme.Controller;

namespace Nvme.Cli;

/// <summary>What the command line says about serving. Immutable.</summary>
/// <param name="Socket">Where clients connect.</param>
/// <param name="Disks">Files or block devices, a namespace each; none for a disk in memory.</param>
/// <param name="Size">In bytes: for the disk in memory, and for files that are not there yet.</param>
/// <param name="ReadOnly">Whether the guest may not write.</param>
/// <param name="TrustClientMemory">Whether guest memory is mapped even if the client could take it away.</param>
/// <param name="View">Whether rates and queues are shown on the terminal.</param>
/// <param name="Controller">The rest.</param>
internal sealed record ServeOptions(string Socket, IReadOnlyList<string> Disks, long? Size, bool ReadOnly, bool TrustClientMemory, bool View, NvmeOptions Controller);
