namespace VfioUser;

/// <summary>Is called after a guest's write to configuration space.</summary>
/// <param name="offset">First byte of <paramref name="written"/>; the method that takes the handler says where it counts from.</param>
/// <param name="written">The guest's bytes, before any mask; at least one. Only valid during the call.</param>
/// <remarks>Runs on the Command thread, after the writable bits have been stored, and answers in milliseconds.
/// A guest may write any width at any offset, so a register may arrive in pieces.</remarks>
public delegate void ConfigWriteHandler(int offset, ReadOnlySpan<byte> written);
