using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The arcs of the migration state machine, and the way from any state to any other. Immutable.</summary>
/// <remarks>
/// <code>
///              PRE_COPY ------> STOP_COPY
///               ^   |            ^    |
///               |   v            |    v
///              RUNNING &lt;------> STOP ---+
///                                ^     |
///                                |     v
///                               RESUMING
/// </code>
/// Spec: "Direct State Transitions", "Complex State Transitions".
/// </remarks>
internal static class StateTransitions
{
    private static readonly MigrationState[] States = [MigrationState.Stop, MigrationState.Running, MigrationState.StopCopy, MigrationState.Resuming, MigrationState.PreCopy];

    /// <summary>Whether one step leads from a state to another.</summary>
    public static bool IsDirect(MigrationState from, MigrationState to, bool preCopy)
    {
        if (!preCopy && (from == MigrationState.PreCopy || to == MigrationState.PreCopy))
            return false;
        return (from, to) is
            (MigrationState.Running, MigrationState.Stop or MigrationState.PreCopy)
            or (MigrationState.Stop, MigrationState.Running or MigrationState.StopCopy or MigrationState.Resuming)
            or (MigrationState.StopCopy, MigrationState.Stop)
            or (MigrationState.Resuming, MigrationState.Stop)
            or (MigrationState.PreCopy, MigrationState.Running or MigrationState.StopCopy);
    }

    /// <summary>The states to go through, the target last; empty when the device is there already, null when there is no way.</summary>
    /// <remarks>The shortest way that has no state of the saving group in its middle.</remarks>
    public static IReadOnlyList<MigrationState>? Path(MigrationState from, MigrationState to, bool preCopy)
    {
        // that one has a way around, but is forbidden by name
        if (!IsKnown(from, preCopy) || !IsKnown(to, preCopy) || (from, to) is (MigrationState.StopCopy, MigrationState.PreCopy))
            return null;
        Dictionary<MigrationState, MigrationState> cameFrom = new() { [from] = from };
        Queue<MigrationState> open = new([from]);
        while (open.TryDequeue(out MigrationState state) && state != to)
        {
            if (state != from && IsSaving(state))
                continue;
            foreach (MigrationState next in States)
            {
                if (IsDirect(state, next, preCopy) && cameFrom.TryAdd(next, state))
                    open.Enqueue(next);
            }
        }
        if (!cameFrom.ContainsKey(to))
            return null;
        List<MigrationState> path = [];
        for (MigrationState state = to; state != from; state = cameFrom[state])
            path.Insert(0, state);
        return path;
    }

    /// <summary>The saving group: the states in which the device's state can be read.</summary>
    public static bool IsSaving(MigrationState state) => state is MigrationState.PreCopy or MigrationState.StopCopy;

    /// <summary>Whether the device works for the guest.</summary>
    public static bool IsActive(MigrationState state) => state is MigrationState.Running or MigrationState.PreCopy;

    // ERROR is entered by failing and left by a reset; the P2P states are not used in vfio-user.
    private static bool IsKnown(MigrationState state, bool preCopy) =>
        Array.IndexOf(States, state) >= 0 && (preCopy || state != MigrationState.PreCopy);
}
