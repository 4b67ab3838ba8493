namespace VfioUser.Tests;

/// <summary>Work on threads of its own, and waits that end: what takes longer than this hangs.</summary>
internal static class Background
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static Task<T> Run<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static Task Run(Action work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    public static void MustEnd(this Task task, string what)
    {
        Task.WhenAny(task, Task.Delay(Timeout)).GetAwaiter().GetResult().Should().BeSameAs(task, what);
        task.GetAwaiter().GetResult();
    }

    public static void MustComeSoon(this ManualResetEventSlim happened, string what) =>
        happened.Wait(Timeout).Should().BeTrue(what);

    public static void MustBecomeTrue(Func<bool> condition, string what) =>
        SpinWait.SpinUntil(condition, Timeout).Should().BeTrue(what);
}
