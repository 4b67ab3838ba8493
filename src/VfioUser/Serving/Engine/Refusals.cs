using System.Globalization;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The refused commands of a session: the first of each kind is logged, the others are counted.</summary>
/// <remarks>Command thread. Bounded: a client can fill neither the log nor memory with them.</remarks>
/// <param name="device">The device: whether it can be migrated decides what is a probe.</param>
/// <param name="log">The server's log.</param>
internal sealed class Refusals(PciDevice device, ServerLog log)
{
    private const int MaxKinds = 32;

    private readonly List<Kind> _kinds = [];
    private long _others;

    private record struct Kind(Command Command, Errno Errno, long Count);

    public void Add(in MessageHeader header, in Refusal refusal)
    {
        Errno errno = refusal.Errno;
        log.Refused(header.Command, header.MessageId, header.MessageSize, errno, refusal);
        if (IsProbe(header.Command))
            return;
        foreach (ref Kind kind in CollectionsMarshal.AsSpan(_kinds))
        {
            if (kind.Command == header.Command && kind.Errno == errno)
            {
                kind.Count++;
                return;
            }
        }
        if (_kinds.Count == MaxKinds)
        {
            _others++;
            return;
        }
        _kinds.Add(new Kind(header.Command, errno, 1));
        log.FirstRefused(header.Command, header.MessageId, header.MessageSize, errno, refusal);
    }

    /// <summary>Logs the counts at the end of the session.</summary>
    public void LogTotal()
    {
        if (_kinds.Count == 0)
            return;
        string counts = string.Join(", ", _kinds.Select(kind => string.Create(CultureInfo.InvariantCulture, $"{kind.Count} {kind.Command} {kind.Errno}")));
        log.RefusedInAll(_others == 0 ? counts : string.Create(CultureInfo.InvariantCulture, $"{counts}, {_others} others"));
    }

    // Clients probe for optional features: QEMU asks each device for those of migration.
    private bool IsProbe(Command command) => command switch
    {
        Command.DeviceGetInfo or Command.DeviceGetRegionInfo or Command.DeviceGetRegionIoFds or Command.DeviceGetIrqInfo => true,
        Command.DeviceFeature => device.Migration is null,
        _ => false,
    };
}
