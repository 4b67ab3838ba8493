using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The transitions of the migration state machine, and the path from any state to any other. Immutable.</summary>
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

    /// <summary>Whether there is a direct transition.</summary>
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

    /// <summary>The states on the path, the target last; empty if the states are equal, null if there is no path.</summary>
    /// <remarks>The shortest path without a saving state in between.</remarks>
    public static IReadOnlyList<MigrationState>? Path(MigrationState from, MigrationState to, bool preCopy)
    {
        // STOP_COPY to PRE_COPY has a path, but the specification forbids it
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

    /// <summary>Whether the stream can be read in a state.</summary>
    public static bool IsSaving(MigrationState state) => state is MigrationState.PreCopy or MigrationState.StopCopy;

    /// <summary>Whether the device runs in a state.</summary>
    public static bool IsActive(MigrationState state) => state is MigrationState.Running or MigrationState.PreCopy;

    // ERROR is entered by a failure and left by a reset; vfio-user does not use the P2P states.
    private static bool IsKnown(MigrationState state, bool preCopy) =>
        Array.IndexOf(States, state) >= 0 && (preCopy || state != MigrationState.PreCopy);
}
