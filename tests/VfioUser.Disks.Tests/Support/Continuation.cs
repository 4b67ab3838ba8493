namespace VfioUser.Disks.Tests.Support;

/// <summary>What follows an answer.</summary>
/// <param name="Thread">Where it runs.</param>
/// <param name="Failure">Null if the answer was a success.</param>
internal sealed record Continuation(Thread Thread, Exception? Failure)
{
    /// <summary>Waits for an answer. Whoever awaits the result goes on elsewhere.</summary>
    public static Task<Continuation> Of(ValueTask answer)
    {
        TaskCompletionSource<Continuation> found = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = Follow(answer, found);
        return found.Task;
    }

    private static async Task Follow(ValueTask answer, TaskCompletionSource<Continuation> found)
    {
        try
        {
            await answer.ConfigureAwait(false);
            found.SetResult(new Continuation(Thread.CurrentThread, null));
        }
        catch (Exception e)
        {
            found.SetResult(new Continuation(Thread.CurrentThread, e));
        }
    }
}
