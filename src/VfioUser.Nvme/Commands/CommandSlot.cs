namespace VfioUser.Nvme;

/// <summary>A command under way: what it is, its data, and what becomes of it when its disk has answered.</summary>
/// <remarks>One thread at a time: whoever carries the command out, then whoever brings the disk's answer. Used again for other commands, so
/// that none allocates.</remarks>
internal sealed class CommandSlot
{
    private readonly Action _continue;
    private CancellationTokenSource? _cancellation;
    private ValueTask<CommandOutcome> _running;

    /// <param name="parts">The controller.</param>
    /// <param name="ended">Called with the outcome of a command that had to wait.</param>
    public CommandSlot(ControllerParts parts, Action<CommandSlot, CommandOutcome> ended)
    {
        Context = new CommandContext(parts);
        _continue = () => ended(this, _running.GetAwaiter().GetResult());
    }

    public CommandContext Context { get; }

    /// <summary>Where the command came from.</summary>
    public SubmissionQueue Queue { get; private set; } = null!;

    /// <summary>A copy of ours.</summary>
    public Command Command { get; private set; }

    /// <summary>The namespace where it counts as under way; null before, and for commands of several.</summary>
    public Namespace? Space { get; set; }

    /// <summary>The namespace that the fused operation has for itself of which this is a half; null before, and for others.</summary>
    public Namespace? FusedSpace { get; set; }

    /// <summary>The right to touch the guest that this command has for itself: for what comes after a wait, when the thread that
    /// carried it out uses its own for others.</summary>
    public GuestPass Pass => Context.Pass;

    /// <summary>Cancelled when the answer is not wanted any more.</summary>
    public CancellationToken Cancellation => (_cancellation ??= new CancellationTokenSource()).Token;

    /// <summary>Whether nobody wants the answer any more.</summary>
    public bool IsCancelled => Volatile.Read(ref _cancellation) is { IsCancellationRequested: true };

    /// <summary>Whether that is because the host was preempted.</summary>
    public bool IsPreempted { get; private set; }

    /// <summary>The second command of a fused operation, if this is the first.</summary>
    public CommandSlot? Second { get; set; }

    /// <summary>Whether the thread that fetched the command has gone on without it.</summary>
    public bool IsWaiting { get; set; }

    /// <summary>Whether its disk may go on with the command on the thread that brings its answer, and begins with it when it is told to
    /// submit. Otherwise the thread that carries it out may be blocked.</summary>
    public bool IsInline { get; set; }

    /// <summary>Begins with a command.</summary>
    public void Begin(SubmissionQueue queue, in Command command)
    {
        Queue = queue;
        Command = command;
        Second = null;
        IsPreempted = false;
        IsInline = false;
        // somebody may be about to cancel the last one: it is not disposed, and has no timer to be
        if (_cancellation?.TryReset() == false)
            _cancellation = null;
    }

    /// <summary>Has the command completed when its disk has answered. The slot is not the caller's any more.</summary>
    public void CompleteLater(in ValueTask<CommandOutcome> running)
    {
        _running = running;
        running.GetAwaiter().UnsafeOnCompleted(_continue);
    }

    /// <summary>Tells the disk that the answer is not wanted. Any thread, while the command is under way.</summary>
    public void Cancel() => _cancellation?.Cancel();

    /// <summary>The same, because the host was preempted.</summary>
    public void Preempt()
    {
        IsPreempted = true;
        Cancel();
    }
}
