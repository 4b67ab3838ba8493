namespace VfioUser.Nvme;

/// <summary>What became of a command: it is completed with a status, or not by whoever carried it out. Immutable.</summary>
internal readonly struct CommandOutcome
{
    private CommandOutcome(Status status, bool isCompleted, bool isPostponed = false)
    {
        Status = status;
        IsCompleted = isCompleted;
        IsPostponed = isPostponed;
    }

    /// <summary>There will be a completion later, or none because the queue has gone.</summary>
    public static CommandOutcome NoCompletion => new(Status.Success, isCompleted: false);

    /// <summary>It has not begun, and is to be carried out again later: a fused operation is alone on its namespace.</summary>
    public static CommandOutcome Postponed => new(Status.Success, isCompleted: false, isPostponed: true);

    /// <summary>Whether it is to be carried out again.</summary>
    public bool IsPostponed { get; }

    /// <summary>Whether it is to be completed now.</summary>
    public bool IsCompleted { get; }

    /// <summary>How it ended, if it is completed.</summary>
    public Status Status { get; }

    /// <summary>Whether it is completed with an error.</summary>
    public bool HasFailed => IsCompleted && Status != Status.Success;

    public static implicit operator CommandOutcome(Status status) => new(status, isCompleted: true);
}
