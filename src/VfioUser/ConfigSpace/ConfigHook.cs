namespace VfioUser;

/// <summary>Watches a range of configuration space for reads or for writes.</summary>
internal readonly record struct ConfigHook<THandler>(int Offset, int Length, THandler Handler)
    where THandler : Delegate
{
    /// <summary>The part of the access [<paramref name="offset"/>, +<paramref name="length"/>) that is watched.</summary>
    public bool Overlaps(int offset, int length, out int start, out int count)
    {
        start = Math.Max(Offset, offset);
        count = Math.Min(Offset + Length, offset + length) - start;
        return count > 0;
    }

    /// <summary>Inserts after all hooks that start no later, so that the list is in order of address, then of adding.</summary>
    public static void Insert(List<ConfigHook<THandler>> hooks, ConfigHook<THandler> hook)
    {
        int at = hooks.Count;
        while (at > 0 && hooks[at - 1].Offset > hook.Offset)
            at--;
        hooks.Insert(at, hook);
    }
}
