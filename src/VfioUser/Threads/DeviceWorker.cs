namespace VfioUser;

/// <summary>A worker as declared. Immutable.</summary>
/// <param name="name">Used in logs, and as the name of its thread if it has one.</param>
/// <param name="body">Runs once for each run of a server.</param>
/// <param name="startsThread">Whether the body only starts a thread: it needs none of the pool, which may be long in coming.</param>
internal sealed class DeviceWorker(string name, Func<DeviceWork, CancellationToken, Task> body, bool startsThread = false)
{
    public string Name { get; } = name;

    public DeviceWork Work { get; } = new();

    /// <summary>A worker with its own thread.</summary>
    public static DeviceWorker OnThread(string name, Action<DeviceWork, CancellationToken> body) => new(name, (work, stop) =>
    {
        TaskCompletionSource ended = new(); // who waits is told by the thread that ends
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
    }, startsThread: true);

    /// <summary>Runs the worker.</summary>
    /// <param name="thread">Reports its exception.</param>
    /// <param name="stop">Cancelled when the run ends.</param>
    /// <returns>Never faulted.</returns>
    public async Task RunAsync(ICommandThread thread, CancellationToken stop)
    {
        Work.Begin(stop);
        Task run = startsThread ? body(Work, stop) : Task.Run(() => body(Work, stop), CancellationToken.None);
        await run.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Exception? thrown = run.Exception?.InnerException;
        // nobody has asked it to end, so this is a failure
        if (run.IsCanceled && !stop.IsCancellationRequested)
            thrown = new TaskCanceledException(run);
        if (thrown is not null)
            thread.Threw(new DeviceCode(DeviceCallback.Worker, Worker: Name), thrown);
    }
}
