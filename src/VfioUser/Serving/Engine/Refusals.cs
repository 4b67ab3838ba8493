using System.Globalization;
using System.Runtime.InteropServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>What a client was refused in one session: the first of each kind is told, the rest is counted.</summary>
/// <remarks>Command thread. A client cannot fill a log with it, nor memory.</remarks>
/// <param name="device">Decides what is a mere question.</param>
/// <param name="log">Told.</param>
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
        if (IsQuestion(header.Command))
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

    /// <summary>The session is over.</summary>
    public void SayTotal()
    {
        if (_kinds.Count == 0)
            return;
        string counts = string.Join(", ", _kinds.Select(kind => string.Create(CultureInfo.InvariantCulture, $"{kind.Count} {kind.Command} {kind.Errno}")));
        log.RefusedInAll(_others == 0 ? counts : string.Create(CultureInfo.InvariantCulture, $"{counts}, {_others} others"));
    }

    // Clients find out what there is by asking for what may not be: QEMU asks each device for the features of migration.
    private bool IsQuestion(Command command) => command switch
    {
        Command.DeviceGetInfo or Command.DeviceGetRegionInfo or Command.DeviceGetRegionIoFds or Command.DeviceGetIrqInfo => true,
        Command.DeviceFeature => device.Migration is null,
        _ => false,
    };
}
