using System.Numerics;
using Microsoft.Extensions.Logging;

namespace VfioUser.Nvme;

/// <summary>What a controller is made of; the parts know one another through it.</summary>
internal sealed class ControllerParts
{
    private readonly Lock _failing = new();
    private long _unexpected;
    private int _isLost;
    private bool _offersWriteCache;

    public ControllerParts() => (History, KeepAlive) = (new PersistentEventLog(this), new KeepAlive(this));

    public required NvmeControllerOptions Options { get; init; }

    public required PciId Id { get; init; }

    public required Dma Dma { get; init; }

    /// <summary>The right to touch the guest: its memory, its interrupts. A reset closes it and waits for those inside, who wait
    /// neither for a disk nor for whoever closes it.</summary>
    public required RundownGuard Guest { get; init; }

    public required ControllerRegisters Registers { get; init; }

    public required DoorbellRegisters Doorbells { get; init; }

    public required Interrupts Interrupts { get; init; }

    public required QueueSet Queues { get; init; }

    public required NamespaceSet Namespaces { get; init; }

    /// <summary>Whose namespaces it has.</summary>
    public required Subsystem Subsystem { get; init; }

    /// <summary>The subsystem's NQN.</summary>
    public string SubsystemName => $"nqn.2014-08.org.nvmexpress:uuid:{Subsystem.Uuid}";

    /// <summary>CNTLID.</summary>
    public ushort ControllerId { get; set; }

    public required AsyncEvents Events { get; init; }

    /// <summary>How many regions of the guest's memory come by message. Command thread.</summary>
    public int MessageRegions { get; set; }

    /// <summary>Whether memory comes by message, so that the Command thread may not touch any. Command thread.</summary>
    public bool HasMessageMemory => MessageRegions > 0;

    /// <summary>The clock of the device: it may change from one server to the next.</summary>
    public required Func<TimeProvider> Time { get; init; }

    /// <summary>The log of the device: it may change from one server to the next.</summary>
    public required Func<ILogger> Logger { get; init; }

    public Features Features { get; } = new();

    public ErrorLog Errors { get; } = new();

    public SelfTests SelfTests { get; } = new();

    public PersistentEventLog History { get; }

    public KeepAlive KeepAlive { get; }

    public NvmeStatistics Statistics { get; } = new();

    /// <summary>Set once, when the other parts are there.</summary>
    public IQueueWorkers Workers { get; set; } = null!;

    /// <summary>Whether the guest has done what cannot be gone on from, short of a reset.</summary>
    public bool HasFailed => Registers.HasFailed;

    /// <summary>Whether there are shadow doorbells: behind a mapped page they would announce nothing.</summary>
    public bool HasShadowDoorbells => Options.ShadowDoorbells && !Doorbells.IsMapped;

    /// <summary>
    /// Whether the driver is offered them now. With INTx it is not: QEMU takes the guest's next access to a BAR for the end
    /// of an interrupt, and shadow doorbells leave such accesses out.
    /// </summary>
    public bool OffersShadowDoorbells => HasShadowDoorbells && !Interrupts.UsesIntx;

    /// <summary>Whether some namespace has a cache that a power loss empties.</summary>
    public bool HasVolatileCache => Namespaces.All.Any(space => space.HasVolatileCache);

    /// <summary>Whether the driver was told of such a cache. It asks once, when it enables the controller: what a namespace has that comes
    /// later, it would not flush.</summary>
    public bool OffersWriteCache
    {
        get => Volatile.Read(ref _offersWriteCache);
        set => Volatile.Write(ref _offersWriteCache, value);
    }

    /// <summary>Whether each write is to be durable when it is answered.</summary>
    public bool WritesThrough => !OffersWriteCache || !Features.WriteCacheEnabled;

    /// <summary>Sets Controller Fatal Status: nothing is fetched any more until a reset. Any thread.</summary>
    public void Fail(string reason)
    {
        lock (_failing)
        {
            if (HasFailed)
                return;
            // before the guest can know
            Log.ControllerFailed(Logger(), reason);
            Registers.SetStatus(StatusBits.Fatal);
        }
    }

    /// <summary>As <see cref="Fail"/>, because a queue could not be read or written. Whether it was the guest that put it in a wrong
    /// place, or its client that does not answer, is for whoever reads the log to know.</summary>
    public void FailQueue(string queue, ulong address, DmaResult result)
    {
        // a reset does not wait for a client that answers only when it is over, and clears Bus Master Enable
        if (Guest.IsOpen || result.Status is not (DmaStatus.TimedOut or DmaStatus.Cancelled or DmaStatus.BusMasterOff))
            Fail(Reason(queue, address, result));
    }

    /// <summary>Completes a command. Inside the guard.</summary>
    /// <returns>False if the controller has failed.</returns>
    public bool Complete(SubmissionQueue queue, ushort commandId, Status status, uint result)
    {
        CompletionQueue completions = queue.Completions;
        DmaResult posted = queue.Complete(commandId, status, result);
        if (!posted)
        {
            FailQueue(queue.Id == 0 ? "the admin completion queue" : $"completion queue {completions.Id}", completions.Address, posted);
            return false;
        }
        if (completions.HasHeld)
        {
            TellOfLoss();
            completions.PostHeld(); // if it was mapped before anybody was told
        }
        return true;
    }

    /// <summary>Posts completions whose queue was not mapped. Admin thread, inside the guard.</summary>
    /// <returns>Whether to poll again.</returns>
    public bool PostHeld()
    {
        bool posted = false;
        bool lost = false;
        for (int id = 0; id <= Queues.LastId; id++)
        {
            if (Queues.Completion(id) is not { HasHeld: true } queue)
                continue;
            if (queue.PostHeld())
            {
                Interrupts.Notify(queue);
                posted = true;
            }
            lost |= queue.HasHeld;
        }
        return posted || (lost && TellOfLoss());
    }

    /// <summary>A queue's memory is not mapped: threads are to be woken when some is.</summary>
    /// <returns>Whether that is news: then it may have been mapped before: poll again.</returns>
    public bool TellOfLoss() => Interlocked.Exchange(ref _isLost, 1) == 0;

    /// <summary>Memory has been mapped. Command thread.</summary>
    public void MemoryMapped()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _isLost) != 0 && Interlocked.Exchange(ref _isLost, 0) != 0)
            WakeAll();
    }

    private static string Reason(string queue, ulong address, DmaResult result) => result.Status switch
    {
        DmaStatus.NotMapped => $"{queue} is at 0x{address:x}, where there is no memory",
        DmaStatus.BusMasterOff => $"{queue} is at 0x{address:x}, and bus mastering is off",
        DmaStatus.Refused => $"{queue} is at 0x{address:x}, and the client refuses to access it",
        DmaStatus.TimedOut => $"{queue} is at 0x{address:x}, and the client does not answer for it",
        DmaStatus.Disconnected => $"the client has gone, and {queue} at 0x{address:x} with it",
        _ => $"{queue} at 0x{address:x} cannot be accessed: {result}",
    };

    /// <summary>Makes what was written to a namespace durable. Outside of the guard; any thread. Does
    /// nothing for one that is removed.</summary>
    /// <exception cref="FlushFailedException">Writes are lost.</exception>
    public ValueTask FlushAsync(Namespace space)
    {
        if (!space.TryUse())
            return default;
        ValueTask flushing = space.Disk.FlushAsync(); // throws nothing, only its answer does
        if (!flushing.IsCompletedSuccessfully)
            return FlushAsync(space, flushing);
        flushing.GetAwaiter().GetResult();
        space.EndUse();
        return default;
    }

    /// <summary>As <see cref="FlushAsync(Namespace)"/>, for threads that wait.</summary>
    /// <exception cref="FlushFailedException">Writes are lost.</exception>
    public void Flush(Namespace space) => Wait.For(FlushAsync(space));

    /// <summary>A flush of a namespace has failed.</summary>
    public void LoseWrites(Namespace space, FlushFailedException failure)
    {
        if (!space.Shared.LoseWrites())
            return;
        Log.FlushFailed(Logger(), space.Id, failure.Message);
        History.AddSmart();
        Subsystem.LoseWrites();
    }

    private async ValueTask FlushAsync(Namespace space, ValueTask flushing)
    {
        try
        {
            await flushing.ConfigureAwait(false);
        }
        catch (FlushFailedException e)
        {
            LoseWrites(space, e);
            throw;
        }
        finally
        {
            space.EndUse();
        }
    }

    /// <summary>Takes the disks that are another's as yet. See <see cref="Disk.Activate"/>.</summary>
    /// <param name="all">Whether another host may have written to those, too, that are ours.</param>
    /// <exception cref="IOException">Another process has one: none is taken.</exception>
    public void ActivateDisks(bool all = false)
    {
        Namespaces.UsesDisks = true;
        // none is removed meanwhile
        Namespace[] spaces = [.. Namespaces.All.Where(space => space.TryUse())];
        Disk[] others = [.. spaces.Select(space => space.Disk).Where(disk => !disk.IsActive)];
        try
        {
            foreach (Disk disk in all ? spaces.Select(space => space.Disk) : others)
                disk.Activate();
            foreach (Namespace space in spaces.Where(space => others.Contains(space.Disk)))
                space.Shared.Reservations.Reload();
        }
        catch
        {
            Namespaces.UsesDisks = false;
            foreach (Disk disk in others.Where(disk => disk.IsActive))
                disk.Inactivate();
            throw;
        }
        finally
        {
            foreach (Namespace space in spaces)
                space.EndUse();
        }
    }

    /// <summary>Whether some namespace has lost writes.</summary>
    public bool HasLostWrites => Namespaces.All.Any(space => space.HasLostWrites);

    /// <summary>Tells the driver of lost writes, if it wants to know and there are any.</summary>
    public void RaiseLostWrites()
    {
        if (Features.ReportsReliability && HasLostWrites)
            Events.Raise(AsyncEvent.Reliability);
    }

    /// <summary>A namespace has come, gone or changed. Any thread.</summary>
    public void NamespacesChanged()
    {
        if (Features.ReportsNamespaces)
            Events.Raise(AsyncEvent.NamespaceAttributeChanged);
    }

    /// <summary>There is a notice of a reservation that the driver has not read. Any thread.</summary>
    public void ReservationNoticed() => Events.Raise(AsyncEvent.ReservationNotice);

    /// <summary>Sets the state of the paths to a group of namespaces. Any thread.</summary>
    public void SetAnaState(uint group, NvmeAnaState state)
    {
        if (!Namespaces.Ana.Set(group, state))
            return;
        foreach (Namespace space in Namespaces.All.Where(space => space.Shared.AnaGroup == group))
            space.PathStatus = Namespaces.Ana.StatusOf(group);
        if (Features.ReportsAna)
            Events.Raise(AsyncEvent.AnaChange);
    }

    /// <summary>Logs an exception that no disk should throw. Not each: the guest can repeat the command that it came of.</summary>
    public void LogUnexpected(Exception exception)
    {
        long count = Interlocked.Increment(ref _unexpected);
        if (BitOperations.IsPow2(count))
            Log.CommandThrew(Logger(), count, exception);
    }

    /// <summary>Wakes all threads that serve queues.</summary>
    public void WakeAll()
    {
        Workers.WakeAdmin();
        Workers.WakeIo();
    }
}
