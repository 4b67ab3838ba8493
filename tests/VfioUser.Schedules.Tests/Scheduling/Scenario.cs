namespace VfioUser.Schedules;

/// <summary>Some threads that do something at once, and what has to hold. Made anew for each schedule.</summary>
internal abstract class Scenario : IDisposable
{
    /// <summary>Two or three: the schedules are many.</summary>
    public abstract Action[] Threads { get; }

    /// <summary>All threads have ended.</summary>
    public virtual void CheckEnd()
    {
    }

    public virtual void Dispose()
    {
    }
}
