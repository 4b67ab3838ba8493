namespace VfioUser.Benchmarks;

/// <summary>Takes 4 KiB reads and writes, each with a slot of memory, and tells which are done.</summary>
/// <remarks>One thread.</remarks>
internal interface ILoadQueue
{
    /// <summary>Adds one without telling the other side.</summary>
    void Put(int slot, long block, bool write);

    /// <summary>Tells the other side of all that was put.</summary>
    void Ring();

    /// <summary>Sleeps until something may be done.</summary>
    void Wait();

    /// <summary>Takes one that is done.</summary>
    bool TryTake(out int slot);

    /// <summary>Tells the other side of all that was taken.</summary>
    void Taken();
}
