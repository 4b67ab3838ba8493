namespace VfioUser;

/// <summary>Takes back a state that was saved as one piece.</summary>
/// <param name="state">Valid for the call only.</param>
/// <exception cref="InvalidDataException">It makes no state: the client is told, and must reset the device.</exception>
public delegate void MigrationRestore(ReadOnlySpan<byte> state);
