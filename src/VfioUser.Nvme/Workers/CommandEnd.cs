namespace VfioUser.Nvme;

/// <summary>The end of commands that another thread than their queue's has carried out, or that had to wait.</summary>
/// <remarks>Any thread. Throws nothing: it may be a disk's thread.</remarks>
internal sealed class CommandEnd(ControllerParts parts)
{
    /// <summary>Where the slots of those commands come from, and go.</summary>
    public CommandSlots Slots { get; set; } = null!;

    /// <summary>Completes a command, and gives its slot back.</summary>
    public void Complete(CommandSlot slot, CommandOutcome outcome)
    {
        SubmissionQueue queue = slot.Queue;
        try
        {
            if (outcome.IsCompleted && slot.Pass.TryEnter())
            {
                if (parts.Complete(queue, slot.Command.Id, outcome.Status, 0))
                    parts.Interrupts.Notify(queue.Completions);
            }
            else
            {
                queue.Abandon(1); // the controller was reset meanwhile
            }
        }
        catch (Exception e)
        {
            // it may be the next guest's controller by now
            if (slot.Pass.IsInside)
                parts.Fail(e.ToString());
            else
                parts.LogUnexpected(e);
        }
        finally
        {
            slot.Pass.Leave();
            Slots.Return(slot);
        }
    }
}
