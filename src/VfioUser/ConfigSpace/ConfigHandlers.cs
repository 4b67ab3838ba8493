namespace VfioUser;

/// <summary>Answers a guest's read of configuration space.</summary>
/// <param name="offset">First byte of <paramref name="value"/>; relative to what, says the method that takes the handler.</param>
/// <param name="value">Holds the stored bytes on entry; what it holds on return is what the guest sees. At least one byte.</param>
/// <remarks>Runs on the Command thread and answers in milliseconds. Changing <paramref name="value"/> does not change
/// what is stored.</remarks>
public delegate void ConfigReadHandler(int offset, Span<byte> value);

/// <summary>Learns of a guest's write to configuration space.</summary>
/// <param name="offset">First byte of <paramref name="written"/>; relative to what, says the method that takes the handler.</param>
/// <param name="written">What the guest sent, before any mask; at least one byte. Only valid during the call.</param>
/// <remarks>Runs on the Command thread, after the writable bits have been stored, and answers in milliseconds.
/// A guest may write any width at any offset, so a register may arrive in pieces.</remarks>
public delegate void ConfigWriteHandler(int offset, ReadOnlySpan<byte> written);
