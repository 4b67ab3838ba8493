using System.Buffers.Binary;

namespace VfioUser.Nvme;

/// <summary>How well a controller gets at groups of namespaces: Asymmetric Namespace Access. NVMe 2.0 8.1.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class AnaGroups
{
    /// <summary>ANAGRPMAX: the largest number of a group, from 1 on.</summary>
    public const int Count = 16;

    /// <summary>ANATT: how long a change of state takes at most, in seconds.</summary>
    public const byte TransitionTime = 10;

    private const int HeaderLength = 16;
    private const int GroupLength = 32;

    private readonly Lock _lock = new();
    private readonly NvmeAnaState[] _states = [.. Enumerable.Repeat(NvmeAnaState.Optimized, Count)];
    private readonly ulong[] _changes = new ulong[Count];
    private ulong _changeCount;

    /// <summary>Whether a group could have the number.</summary>
    public static bool IsValid(uint group) => group - 1 < Count;

    /// <summary>Sets the state of a group.</summary>
    /// <returns>Whether it had another one.</returns>
    public bool Set(uint group, NvmeAnaState state)
    {
        lock (_lock)
        {
            if (_states[group - 1] == state)
                return false;
            _states[group - 1] = state;
            _changes[group - 1] = ++_changeCount;
            return true;
        }
    }

    /// <summary>The state of a group.</summary>
    public NvmeAnaState this[uint group]
    {
        get
        {
            lock (_lock)
                return _states[group - 1];
        }
    }

    /// <summary>How commands to the group's namespaces end; Success if the state is none that ends them.</summary>
    public Status StatusOf(uint group) => this[group] switch
    {
        NvmeAnaState.Inaccessible => Status.AnaInaccessible,
        NvmeAnaState.PersistentLoss => Status.AnaPersistentLoss,
        NvmeAnaState.Change => Status.AnaTransition,
        _ => Status.Success,
    };

    /// <summary>The log page. NVMe 2.0 figure 219.</summary>
    /// <param name="spaces">Those that the driver sees.</param>
    /// <param name="groupsOnly">Whether to leave out which namespaces are in them.</param>
    public byte[] Compose(IEnumerable<Namespace> spaces, bool groupsOnly)
    {
        ILookup<uint, uint> ids = spaces.ToLookup(space => space.Shared.AnaGroup, space => space.Id);
        byte[] log = new byte[HeaderLength + ids.Count * GroupLength + (groupsOnly ? 0 : ids.Sum(group => group.Count()) * sizeof(uint))];
        lock (_lock)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(log, _changeCount);
            BinaryPrimitives.WriteUInt16LittleEndian(log.AsSpan(8), (ushort)ids.Count);
            int at = HeaderLength;
            foreach (IGrouping<uint, uint> group in ids.OrderBy(group => group.Key))
            {
                Span<byte> descriptor = log.AsSpan(at);
                BinaryPrimitives.WriteUInt32LittleEndian(descriptor, group.Key);
                BinaryPrimitives.WriteUInt64LittleEndian(descriptor[8..], _changes[group.Key - 1]);
                descriptor[16] = (byte)_states[group.Key - 1];
                at += GroupLength;
                if (groupsOnly)
                    continue;
                BinaryPrimitives.WriteInt32LittleEndian(descriptor[4..], group.Count());
                foreach (uint id in group)
                {
                    BinaryPrimitives.WriteUInt32LittleEndian(log.AsSpan(at), id);
                    at += sizeof(uint);
                }
            }
        }
        return log;
    }
}
