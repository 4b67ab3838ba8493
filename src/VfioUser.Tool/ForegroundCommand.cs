namespace VfioUser.Tool;

/// <summary>A command at a prompt, which Ctrl-C ends and not the prompt. Any thread.</summary>
internal sealed class ForegroundCommand
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _running;

    /// <summary>Runs a command.</summary>
    /// <param name="command">Gets a token that is cancelled by Ctrl-C.</param>
    /// <param name="stop">Ends it, too.</param>
    /// <returns>What it returned.</returns>
    public T Run<T>(Func<CancellationToken, T> command, CancellationToken stop)
    {
        using CancellationTokenSource running = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Set(running);
        try
        {
            return command(running.Token);
        }
        finally
        {
            Set(null);
        }
    }

    /// <summary>Ctrl-C.</summary>
    /// <returns>False if there is no command, or it was interrupted before and has not ended: then the tool is to end.</returns>
    public bool TryInterrupt()
    {
        lock (_lock)
        {
            if (_running is null or { IsCancellationRequested: true })
                return false;
            _running.Cancel();
            return true;
        }
    }

    private void Set(CancellationTokenSource? running)
    {
        lock (_lock)
            _running = running;
    }
}
