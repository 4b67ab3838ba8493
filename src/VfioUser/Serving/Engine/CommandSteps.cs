using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Takes a command through its steps: it is checked, the device is quiesced, it is applied, memory becomes free.</summary>
/// <remarks>
/// Command thread. No step is taken twice, and none waits. A command that has to wait is kept, and goes on with the next
/// step; those behind it are not handled before. The device is resumed when the last step is done.
/// </remarks>
internal sealed class CommandSteps(Session session)
{
    private CommandHandler? _handler; // of the command that is kept
    private ReceivedMessage _message;
    private CommandOutcome _next;
    private Refusal _answer; // the device's

    /// <summary>Whether a command is kept.</summary>
    public bool IsDeferred => _handler is not null;

    /// <summary>Takes a command as far as it gets without waiting.</summary>
    public CommandOutcome Run(CommandHandler handler, in ReceivedMessage message)
    {
        CommandOutcome outcome = handler.Handle(session, message);
        return outcome.Kind <= OutcomeKind.Refused ? outcome : Finish(handler, message, outcome);
    }

    /// <summary>Whether what the kept command waits for has happened.</summary>
    /// <param name="message">The command, for <see cref="Resume"/>.</param>
    /// <returns><see cref="ReceiveStatus.Received"/> if so; closed when the client has gone, or it is kept no more.</returns>
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
        // the device may have been asked because the client has gone
        if (!IsDeferred)
            return ReceiveStatus.Closed;
        message = _message;
        return ReceiveStatus.Received;
    }

    /// <summary>Goes on with the kept command, for which the wait is over.</summary>
    public CommandOutcome Resume(in ReceivedMessage message)
    {
        (CommandHandler handler, CommandOutcome next) = (_handler!, _next);
        _handler = null;
        _message = default;
        return Finish(handler, message, next, answered: next.Kind == OutcomeKind.NeedsQuiesce);
    }

    /// <summary>Drops the command that is kept, if there is one.</summary>
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

    // The bytes stay where they are until the next message is asked for; descriptors would go when the handler returns.
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
