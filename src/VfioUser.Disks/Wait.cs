namespace VfioUser.Disks;

/// <summary>Waits for a disk on a thread that has nothing else to do.</summary>
internal static class Wait
{
    /// <summary>Returns when the disk has answered.</summary>
    public static void For(ValueTask answer)
    {
        if (answer.IsCompleted)
            answer.GetAwaiter().GetResult();
        else
            answer.AsTask().GetAwaiter().GetResult();
    }
}
