using VfioUser.Protocol;
using static VfioUser.Protocol.MigrationState;

namespace VfioUser.Tests;

public class StateTransitionsTests
{
    private static readonly uint[] AllNumbers = [.. Enumerable.Range(0, 10).Select(n => (uint)n), 0xABCD, uint.MaxValue];

    // Written down by hand from the specification's rules: from, to, and the way.
    private static readonly Dictionary<(MigrationState, MigrationState), MigrationState[]> Ways = new()
    {
        [(Running, Running)] = [],
        [(Running, Stop)] = [Stop],
        [(Running, StopCopy)] = [Stop, StopCopy],
        [(Running, Resuming)] = [Stop, Resuming],
        [(Running, PreCopy)] = [PreCopy],
        [(Stop, Stop)] = [],
        [(Stop, Running)] = [Running],
        [(Stop, StopCopy)] = [StopCopy],
        [(Stop, Resuming)] = [Resuming],
        [(Stop, PreCopy)] = [Running, PreCopy],
        [(StopCopy, StopCopy)] = [],
        [(StopCopy, Stop)] = [Stop],
        [(StopCopy, Running)] = [Stop, Running],
        [(StopCopy, Resuming)] = [Stop, Resuming],
        [(Resuming, Resuming)] = [],
        [(Resuming, Stop)] = [Stop],
        [(Resuming, Running)] = [Stop, Running],
        [(Resuming, StopCopy)] = [Stop, StopCopy],
        [(Resuming, PreCopy)] = [Stop, Running, PreCopy],
        [(PreCopy, PreCopy)] = [],
        [(PreCopy, Running)] = [Running],
        [(PreCopy, Stop)] = [Running, Stop],
        [(PreCopy, StopCopy)] = [StopCopy],
        [(PreCopy, Resuming)] = [Running, Stop, Resuming],
    };

    [Fact]
    public void Every_pair_has_the_way_of_the_specification_or_none()
    {
        foreach (uint from in AllNumbers)
        {
            foreach (uint to in AllNumbers)
            {
                MigrationState[]? expected = Ways.GetValueOrDefault(((MigrationState)from, (MigrationState)to));

                IReadOnlyList<MigrationState>? path = StateTransitions.Path((MigrationState)from, (MigrationState)to, preCopy: true);

                path.Should().Equal(expected, "from {0} to {1}", from, to);
            }
        }
    }

    [Fact]
    public void Without_pre_copy_the_ways_are_the_same_but_for_those_that_begin_or_end_there()
    {
        foreach (uint from in AllNumbers)
        {
            foreach (uint to in AllNumbers)
            {
                bool touches = (MigrationState)from == PreCopy || (MigrationState)to == PreCopy;
                MigrationState[]? expected = touches ? null : Ways.GetValueOrDefault(((MigrationState)from, (MigrationState)to));

                StateTransitions.Path((MigrationState)from, (MigrationState)to, preCopy: false).Should().Equal(expected, "from {0} to {1}", from, to);
            }
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void No_shorter_way_exists_and_every_step_is_an_arc(bool preCopy)
    {
        MigrationState[] states = [Stop, Running, StopCopy, Resuming, PreCopy];
        foreach (MigrationState from in states)
        {
            foreach (MigrationState to in states)
            {
                if (StateTransitions.Path(from, to, preCopy) is not { Count: > 0 } path)
                    continue;
                MigrationState[] all = [from, .. path];
                for (int i = 1; i < all.Length; i++)
                    StateTransitions.IsDirect(all[i - 1], all[i], preCopy).Should().BeTrue();
                all[1..^1].Should().NotContain([StopCopy, PreCopy]);
                if (path.Count > 1)
                    StateTransitions.IsDirect(from, to, preCopy).Should().BeFalse();
                if (path.Count > 2)
                    states.Should().NotContain(middle => !StateTransitions.IsSaving(middle) && StateTransitions.IsDirect(from, middle, preCopy) && StateTransitions.IsDirect(middle, to, preCopy));
            }
        }
    }
}
