namespace VfioUser;

/// <summary>A worker as it was declared. Immutable.</summary>
/// <param name="name">For logs, and of its thread if it has one.</param>
/// <param name="body">What it does in a run.</param>
internal sealed class DeviceWorker(string name, Func<DeviceWork, CancellationToken, Task> body)
{
    public string Name { get; } = name;

    public DeviceWork Work { get; } = new();

    /// <summary>A worker that has a thread of its own.</summary>
    public static DeviceWorker OnThread(string name, Action<DeviceWork, CancellationToken> body) => new(name, (work, stop) =>
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() =>
        {
            try
            {
                body(work, stop);
                ended.SetResult();
            }
            catch (OperationCanceledException e)
            {
                ended.SetCanceled(e.CancellationToken);
            }
            catch (Exception e)
            {
                ended.SetException(e);
            }
        })
        {
            Name = name,
            IsBackground = true,
        };
        thread.Start();
        return ended.Task;
    });

    /// <summary>Works until it is cancelled.</summary>
    /// <param name="thread">Told of what it throws.</param>
    /// <param name="stop">Ends the run.</param>
    /// <returns>Never faulted.</returns>
    public async Task RunAsync(ICommandThread thread, CancellationToken stop)
    {
        Work.Begin(stop);
        Task run = Task.Run(() => body(Work, stop), CancellationToken.None);
        await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Exception? thrown = run.Exception?.InnerException;
        // one that ends like this without having been told to is missed by somebody
        if (run.IsCanceled && !stop.IsCancellationRequested)
            thrown = new TaskCanceledException(run);
        if (thrown is not null)
            thread.Threw(new DeviceCode(DeviceCallback.Worker, Worker: Name), thrown);
    }
}
