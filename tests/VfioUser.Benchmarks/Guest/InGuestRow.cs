namespace VfioUser.Benchmarks;

/// <summary>What fio does in a guest.</summary>
/// <param name="Write">Or it reads.</param>
/// <param name="BlockKiB">How much at a time.</param>
/// <param name="Depth">How many at a time.</param>
/// <param name="Target">Least ratio to QEMU's own device.</param>
internal sealed record InGuestRow(bool Write, int BlockKiB, int Depth, double Target);
