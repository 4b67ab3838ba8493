namespace VfioUser.Nvme;

/// <summary>The threads that serve the queues of a controller.</summary>
internal interface IQueueWorkers
{
    /// <summary>Has the admin queue served, and done what takes its time. Any thread.</summary>
    void WakeAdmin();

    /// <summary>Has the I/O queues served. Any thread.</summary>
    void WakeIo();

    /// <summary>Gives a queue to the thread that has the fewest. Admin thread.</summary>
    void Assign(SubmissionQueue queue);

    /// <summary>Takes all queues from all threads. When nobody is inside the guard.</summary>
    void RemoveAll();

    /// <summary>Tells the disk of a command that it is not wanted any more. Admin thread.</summary>
    void Abort(SubmissionQueue queue, ushort commandId);

    /// <summary>The same for all commands to a namespace. Any thread, outside of the guard.</summary>
    void Abort(Namespace space);

    /// <summary>Lets no command wait for the rate of its namespace, or lets them wait again. Any thread.</summary>
    void SuspendRates(bool suspended);

    /// <summary>The same for all commands that wait for disks. Admin thread, outside of the guard.</summary>
    void AbortAll();

    /// <summary>Returns when each thread has finished what it does now. Outside of the guard: it may wait for a disk.</summary>
    void WaitForRounds();
}
