namespace VfioUser.Nvme;

/// <summary>All slots for commands that do not end at once: it bounds how many there are, and the memory for their data.</summary>
/// <remarks>
/// Any thread. Whoever fetches commands reserves slots first, so that each command that has to wait finds one. If there is none, the
/// commands stay in their queues.
/// </remarks>
internal sealed class CommandSlots(int count, Func<CommandSlot> create, Action wake)
{
    private readonly Lock _lock = new();
    private readonly Stack<CommandSlot> _free = new();
    private readonly List<CommandSlot> _all = [];
    private int _left = count;
    private bool _isStarved;

    /// <summary>Sets slots aside. If there are none, the caller is woken when there are.</summary>
    /// <returns>How many, at most as many as were wanted.</returns>
    public int Reserve(int wanted)
    {
        lock (_lock)
        {
            int reserved = Math.Min(wanted, _left);
            _left -= reserved;
            _isStarved |= reserved == 0 && wanted > 0;
            return reserved;
        }
    }

    /// <summary>Takes a slot that was set aside.</summary>
    public CommandSlot Take()
    {
        lock (_lock)
        {
            if (_free.TryPop(out CommandSlot? slot))
                return slot;
        }
        CommandSlot made = create();
        lock (_lock)
            _all.Add(made);
        return made;
    }

    /// <summary>Tells all disks that no answer is wanted any more: they are to be waited for, and some would never come.</summary>
    public void CancelAll()
    {
        CommandSlot[] all;
        lock (_lock)
            all = [.. _all];
        foreach (CommandSlot slot in all)
            slot.Cancel();
    }

    /// <summary>Tells the disk of a command that no answer is wanted. It may answer all the same, or have answered.</summary>
    public void Cancel(SubmissionQueue queue, ushort commandId)
    {
        CommandSlot? slot;
        lock (_lock)
            slot = _all.Find(slot => slot.IsWaiting && slot.Queue == queue && slot.Command.Id == commandId);
        slot?.Cancel();
    }

    /// <summary>The same for all commands to a namespace.</summary>
    public void Cancel(Namespace space)
    {
        foreach (CommandSlot slot in Waiting(space))
            slot.Cancel();
    }

    /// <summary>The same, because their host was preempted.</summary>
    public void Preempt(Namespace space)
    {
        foreach (CommandSlot slot in Waiting(space))
            slot.Preempt();
    }

    private CommandSlot[] Waiting(Namespace space)
    {
        lock (_lock)
            return [.. _all.Where(slot => slot.IsWaiting && (slot.Space == space || slot.FusedSpace == space))];
    }

    /// <summary>The command in a slot has ended.</summary>
    public void Return(CommandSlot slot)
    {
        slot.Context.TrimBounce();
        slot.IsWaiting = false;
        bool wasStarved;
        lock (_lock)
        {
            _free.Push(slot);
            _left++;
            (wasStarved, _isStarved) = (_isStarved, false);
        }
        if (wasStarved)
            wake();
    }
}
