using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Runs the steps of a command: check it, quiesce the device, apply it, wait until unmapped memory is no longer in use.</summary>
/// <remarks>
/// Command thread. No step runs twice, and none blocks. A command that has to wait is kept, and continues with the next
/// step; later commands wait behind it. The device is resumed after the last step.
/// </remarks>
internal sealed class CommandSteps(Session session)
{
    private CommandHandler? _handler; // of the kept command
    private ReceivedMessage _message;
    private CommandOutcome _next;
    private Refusal _answer; // of the device to the request to quiesce

    /// <summary>Whether a command is kept.</summary>
    public bool IsDeferred => _handler is not null;

    /// <summary>Runs a command as far as possible without waiting.</summary>
    public CommandOutcome Run(CommandHandler handler, in ReceivedMessage message)
    {
        CommandOutcome outcome = handler.Handle(session, message);
        return outcome.Kind <= OutcomeKind.Refused ? outcome : Finish(handler, message, outcome);
    }

    /// <summary>Checks whether the wait of the kept command is over.</summary>
    /// <param name="message">The command, for <see cref="Resume"/>.</param>
    /// <returns><see cref="ReceiveStatus.Received"/> if so; closed if the client has disconnected, or no command is kept.</returns>
    public ReceiveStatus TryContinue(out ReceivedMessage message)
    {
        message = default;
        if (session.Quiescence.IsPending)
        {
            if (session.Quiescence.Conclude() is not { } answer)
                return session.Quiescence.IsPending ? ReceiveStatus.Empty : ReceiveStatus.Closed;
            _answer = answer;
        }
        else if (session.Unmapping.Poll() is var status and not ReceiveStatus.Received)
        {
            return status;
        }
        // no command is kept if the device was asked because of a disconnect
        if (!IsDeferred)
            return ReceiveStatus.Closed;
        message = _message;
        return ReceiveStatus.Received;
    }

    /// <summary>Continues the kept command, whose wait is over.</summary>
    public CommandOutcome Resume(in ReceivedMessage message)
    {
        (CommandHandler handler, CommandOutcome next) = (_handler!, _next);
        _handler = null;
        _message = default;
        return Finish(handler, message, next, answered: next.Kind == OutcomeKind.NeedsQuiesce);
    }

    /// <summary>Drops the kept command, if there is one.</summary>
    public void Drop()
    {
        _message.Fds?.Dispose();
        _message = default;
        _handler = null;
    }

    private CommandOutcome Finish(CommandHandler handler, in ReceivedMessage message, CommandOutcome outcome, bool answered = false)
    {
        try
        {
            while (true)
            {
                switch (outcome.Kind)
                {
                    case OutcomeKind.NeedsQuiesce:
                        Refusal? answer = answered ? _answer : session.Quiescence.Quiesce(outcome.Reason, message.Header.Command);
                        answered = false;
                        if (answer is not { } refusal)
                            return Defer(handler, message, ref outcome);
                        if (refusal.IsNone)
                        {
                            outcome = handler.Apply(session, message, outcome.Position);
                            break;
                        }
                        handler.NotQuiesced(session);
                        outcome = refusal;
                        break;
                    case OutcomeKind.NeedsDrain:
                        if (!session.Unmapping.TryFinish(outcome.Drain!))
                            return Defer(handler, message, ref outcome);
                        outcome = handler.Finish(session, message, outcome.Drain!);
                        break;
                    default:
                        return outcome;
                }
            }
        }
        finally
        {
            if (outcome.Kind != OutcomeKind.Deferred)
                session.Quiescence.Resume();
        }
    }

    private CommandOutcome Defer(CommandHandler handler, in ReceivedMessage message, ref CommandOutcome outcome)
    {
        if (session.IsPending)
        {
            _handler = handler;
            _message = Keep(message);
            _next = outcome;
        }
        outcome = CommandOutcome.Deferred;
        return outcome;
    }

    // The payload stays valid until the next message is received; descriptors would be closed when the handler returns.
    private static ReceivedMessage Keep(in ReceivedMessage message)
    {
        FdList? fds = null;
        if (message.Fds is not null)
        {
            fds = new FdList();
            fds.Append(message.Fds);
        }
        return new ReceivedMessage(message.Header, message.Buffer, message.HeaderOffset, fds, message.FdProblem);
    }
}
