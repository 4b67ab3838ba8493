namespace VfioUser;

/// <summary>Something with a name and a fixed size that a migration carries. Command thread.</summary>
internal interface ISavedPart
{
    /// <summary>The first version of the device that has it.</summary>
    int Since { get; }

    /// <summary>Whether other versions may be without it.</summary>
    bool IsOptional { get; }

    /// <summary>In bytes.</summary>
    int StateSize { get; }

    void SaveState(Span<byte> destination);

    /// <exception cref="InvalidDataException">It is none.</exception>
    void RestoreState(ReadOnlySpan<byte> source);

    /// <summary>The stream has none.</summary>
    void Reset();
}
