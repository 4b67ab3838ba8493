namespace VfioUser.Clients.Tests;

/// <summary>How long a client waits where its original waits for ever, or for seconds. Nothing is measured by it.</summary>
internal static class Bound
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static void ShouldEnd(this Task task)
    {
        Task.WhenAny(task, Task.Delay(Timeout)).GetAwaiter().GetResult().Should().BeSameAs(task, "it should have ended within {0}", Timeout);
        task.GetAwaiter().GetResult();
    }

    /// <summary>The task's value, which must come soon.</summary>
    public static T Result<T>(this Task<T> task)
    {
        ((Task)task).ShouldEnd();
        return task.GetAwaiter().GetResult();
    }

    /// <summary>Runs what may block on a thread of its own: what a device does while the client is at work.</summary>
    public static Task<T> Start<T>(Func<T> action) =>
        Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Waits until something holds that another thread brings about.</summary>
    public static void Until(Func<bool> condition, string what) =>
        SpinWait.SpinUntil(condition, Timeout).Should().BeTrue("{0} was due", what);
}
