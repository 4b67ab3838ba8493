namespace VfioUser;

/// <summary>What a guest may do with a register.</summary>
public enum Access
{
    /// <summary>Read it and change it.</summary>
    ReadWrite,

    /// <summary>Read it; writes are dropped.</summary>
    ReadOnly,

    /// <summary>Write it; it reads as zero.</summary>
    WriteOnly,

    /// <summary>Read it, and clear bits by writing ones to them: how drivers acknowledge events.</summary>
    WriteOneToClear,
}
