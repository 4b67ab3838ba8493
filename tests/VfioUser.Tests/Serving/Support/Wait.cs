namespace VfioUser.Tests.Serving;

/// <summary>How long a test waits for what must happen. Nothing is measured by it: it ends a test that hangs.</summary>
internal static class Wait
{
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    public static void ShouldEnd(this Task task) =>
        Task.WhenAny(task, Task.Delay(Bound)).GetAwaiter().GetResult().Should().BeSameAs(task, "it should have ended within {0}", Bound);

    public static void ShouldGive<T>(this Task<T> task, T expected)
    {
        task.ShouldEnd();
        task.GetAwaiter().GetResult().Should().Be(expected);
    }

    public static void ShouldGive(this Task<DmaResult> task, DmaStatus expected)
    {
        task.ShouldEnd();
        task.GetAwaiter().GetResult().Should().Be(expected);
    }

    /// <summary>Ends, and without an exception.</summary>
    public static void ShouldGive(this Task task)
    {
        task.ShouldEnd();
        task.GetAwaiter().GetResult();
    }

    public static void ShouldFail<T>(this Task task)
        where T : Exception
    {
        task.ShouldEnd();
        task.Exception!.InnerException.Should().BeOfType<T>();
    }

    public static void ShouldBeSet(this WaitHandle handle) => handle.WaitOne(Bound).Should().BeTrue("it should have happened within {0}", Bound);

    /// <summary>Runs what may block on a thread of its own.</summary>
    public static Task<T> Start<T>(Func<T> action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static Task Start(Action action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
