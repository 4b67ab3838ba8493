using VfioUser.Protocol.Interop;

namespace VfioUser.Tests.Serving;

public class TaskSignalTests
{
    [Fact]
    public void Thread_that_is_woken_finds_the_task_completed()
    {
        // the thread that completes the task may lose its processor right after the signal: it takes some tries to show
        for (int i = 0; i < 20_000; i++)
        {
            TaskCompletionSource task = new();
            using TaskSignal signal = new(task.Task, CancellationToken.None);
            ThreadPool.UnsafeQueueUserWorkItem(static task => task.SetResult(), task, preferLocal: false);

            PollCalls.WaitReadable(signal.Descriptor!, 60_000).Should().BeTrue();
            if (!signal.IsCompleted)
                throw new InvalidOperationException($"Not completed, at try {i}.");
        }
    }
}
