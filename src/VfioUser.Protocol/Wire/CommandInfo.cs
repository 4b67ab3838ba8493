namespace VfioUser.Protocol;

/// <summary>The definition of one command. Immutable.</summary>
/// <param name="Command">Its number.</param>
/// <param name="Name">As the specification spells it, without the prefix and in small letters: <c>dma_map</c>.</param>
/// <param name="Sender">Which side sends it.</param>
/// <param name="Request">What its payload begins with.</param>
/// <param name="Reply">What the payload of its reply begins with.</param>
internal sealed record CommandInfo(Command Command, string Name, CommandSender Sender, PayloadInfo Request, PayloadInfo Reply)
{
    /// <summary>Whether the specification has it.</summary>
    public bool IsSpecified { get; init; } = true;

    /// <summary>The migration states in which it is served at all. Most commands are in every one.</summary>
    public IReadOnlyList<MigrationState>? MigrationStates { get; init; }

    /// <summary>The payload of the command or of its reply.</summary>
    public PayloadInfo Payload(bool isReply) => isReply ? Reply : Request;

    /// <summary>Whether it is served in a migration state.</summary>
    public bool IsServedIn(MigrationState state) => MigrationStates is null || MigrationStates.Contains(state);
}
