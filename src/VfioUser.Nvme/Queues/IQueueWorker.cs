namespace VfioUser.Nvme;

/// <summary>Who fetches the commands of some submission queues.</summary>
internal interface IQueueWorker
{
    /// <summary>The guest has written a queue's doorbell. Command thread; waits for nothing.</summary>
    void DoorbellWritten(SubmissionQueue queue);

    /// <summary>Fetches from a queue no more. Admin thread.</summary>
    void Remove(SubmissionQueue queue);
}
