namespace VfioUser;

/// <summary>Drives an engine on its own thread, which sleeps in the engine's receive while a client is attached.</summary>
internal sealed class ServerThread : IDisposable
{
    private readonly ServingEngine _engine;
    private readonly ListenerWatch _watch;
    private readonly CommandTurn _turn;
    private readonly StandIn _standIn;
    private StopSignal? _stop; // from the first wait for a client until one stays
    private bool _watches; // others that come while the client is attached
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServerThread(ServingEngine engine)
    {
        _engine = engine;
        _watch = new ListenerWatch(engine);
        _turn = engine.Run.Turn!;
        _turn.ClientStays = ClientStays;
        _standIn = new StandIn(engine, _turn);
        engine.WorkAdded = _standIn.Wake;
        engine.DueChanged = _standIn.WakeAt;
        engine.Begin();
    }

    /// <summary>Starts the thread.</summary>
    /// <param name="engine">May block; taken over.</param>
    /// <returns>Completes when serving ends; faulted if the server failed.</returns>
    public static Task Start(ServingEngine engine)
    {
        ServerThread driver = new(engine);
        Thread thread = new(driver.Run) { Name = "vfio-user commands", IsBackground = true };
        thread.Start();
        return driver._done.Task;
    }

    public void Dispose()
    {
        _watch.Dispose();
        _stop?.Dispose();
        _engine.Dispose();
        _standIn.Dispose();
    }

    private void Run()
    {
        try
        {
            while (!_engine.IsOver)
                Step();
        }
        catch (Exception e)
        {
            _engine.Fail(e);
        }
        finally
        {
            Dispose();
        }
        if (_engine.Failure is { } failure)
            _done.SetException(failure);
        else
            _done.SetResult();
    }

    private void Step()
    {
        int unlimited = int.MaxValue;
        PollEvents events = _engine.Step(ref unlimited);
        if ((events & PollEvents.Connected) != 0)
            _watches = false;
        else if (events == PollEvents.None && _engine.Client is null && _turn.TrySleep())
            Sleep();
    }

    // Not when a client connects: to wake the thread that looks after others, and that it has woken, takes longer than to answer one
    // that only asks for the version.
    private void ClientStays()
    {
        if (_watches)
            return;
        _stop?.Dispose();
        _stop = null;
        _watches = true;
        _watch.Begin();
    }

    private void Sleep()
    {
        try
        {
            AwaitClient();
        }
        finally
        {
            _turn.Wake();
        }
    }

    // Waits until a client may be there, or the run ends.
    private void AwaitClient()
    {
        PendingClients.Awaited awaited = _engine.Pending.Await();
        if (awaited.IsThere)
            return;
        CancellationToken stopping = _engine.Run.Stopping;
        if (!awaited.Next)
        {
            stopping.WaitHandle.WaitOne(awaited.Due?.Left ?? TimeSpan.Zero);
            return;
        }
        try
        {
            _engine.Clients.AwaitClient(_stop ??= new StopSignal(stopping));
        }
        catch (IOException e)
        {
            _engine.Pending.CannotAccept(e);
        }
    }
}
