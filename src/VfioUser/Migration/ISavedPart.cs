namespace VfioUser;

/// <summary>State of a fixed size that a migration carries under a name. Command thread.</summary>
internal interface ISavedPart
{
    /// <summary>The first version of the device that has it.</summary>
    int Since { get; }

    /// <summary>Whether other versions may be without it.</summary>
    bool IsOptional { get; }

    /// <summary>In bytes.</summary>
    int StateSize { get; }

    void SaveState(Span<byte> destination);

    /// <exception cref="InvalidDataException">The state is not valid.</exception>
    void RestoreState(ReadOnlySpan<byte> source);

    /// <summary>Called before a restore, whose stream may not have it.</summary>
    void Reset();
}
