using System.Collections.Immutable;

namespace VfioUser.Nvme;

/// <summary>Who is registered with a namespace, and who holds a reservation of it. Immutable.</summary>
internal sealed record ReservationState
{
    /// <summary>Most registrants: a guest that changes its identifier again and again must not take memory without end.</summary>
    public const int MaxRegistrants = 128;

    /// <summary>Tells states that follow from one another from those of other namespaces and of earlier lives of this one.</summary>
    public required Guid Incarnation { get; init; }

    /// <summary>How many changes of this incarnation it has seen.</summary>
    public ulong Version { get; init; }

    /// <summary>GEN.</summary>
    public uint Generation { get; init; }

    public ReservationType Type { get; init; }

    /// <summary>Null if there is no reservation, or if it is of all registrants.</summary>
    public HostIdentifier? Holder { get; init; }

    public ImmutableArray<Registrant> Registrants { get; init; } = [];

    /// <summary>PTPL: whether all of it outlasts the program.</summary>
    public bool IsPersistent { get; init; }

    /// <summary>The key of a host; null if it is not registered.</summary>
    public ulong? KeyOf(HostIdentifier host)
    {
        foreach (Registrant registrant in Registrants)
        {
            if (registrant.Host == host)
                return registrant.Key;
        }
        return null;
    }

    /// <summary>Whether a host holds the reservation, alone or with others.</summary>
    public bool IsHeldBy(HostIdentifier host) => Type.IsOfAllRegistrants() ? KeyOf(host) is not null : Holder == host && Type != ReservationType.None;

    /// <summary>Whether a command of a host may be carried out. Whoever may write may read. NVMe 2.0 figures 502 and 503.</summary>
    /// <param name="host">Null for a controller that has none.</param>
    /// <param name="writes">Whether it writes, in the sense of the figure.</param>
    public bool Allows(HostIdentifier? host, bool writes)
    {
        if (Type == ReservationType.None || (!writes && Type.LetsRead()))
            return true;
        return host is not null && (Type.IsOfHolderAlone() ? Holder == host : KeyOf(host) is not null);
    }
}
