namespace VfioUser;

/// <summary>Restores a state that was saved as a whole.</summary>
/// <param name="state">Valid for the call only.</param>
/// <exception cref="InvalidDataException">The state is not valid: the client's command fails, and it must reset the device.</exception>
public delegate void MigrationRestore(ReadOnlySpan<byte> state);
