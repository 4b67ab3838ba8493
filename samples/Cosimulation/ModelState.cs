namespace Cosimulation;

/// <summary>Whether a model works.</summary>
public enum ModelState
{
    /// <summary>It does.</summary>
    Running,

    /// <summary>It has not answered an access to a register. A reset ends that.</summary>
    Stuck,

    /// <summary>It has ended itself, by <c>$finish</c>, <c>$stop</c> or a failed assertion. A reset ends that.</summary>
    Finished,
}
