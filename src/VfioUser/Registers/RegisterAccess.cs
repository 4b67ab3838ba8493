namespace VfioUser;

/// <summary>What a guest may do with the bits of a register.</summary>
/// <remarks>For single bits see the masks of <see cref="RegisterDefinition{T}"/>.</remarks>
public enum RegisterAccess
{
    /// <summary>Read them and change them.</summary>
    ReadWrite,

    /// <summary>Read them; writes are dropped.</summary>
    ReadOnly,

    /// <summary>Write them; they read as zero.</summary>
    WriteOnly,

    /// <summary>Read them, and clear those to which ones are written: how drivers acknowledge events.</summary>
    WriteOneToClear,

    /// <summary>Read them, and set those to which ones are written.</summary>
    WriteOneToSet,

    /// <summary>Read them, which clears them; writes are dropped. Common for statistics and interrupt causes.</summary>
    ReadToClear,
}
