namespace VfioUser;

/// <summary>Answers a guest's read of configuration space.</summary>
/// <param name="offset">First byte of <paramref name="value"/>; relative to what, says the method that takes the handler.</param>
/// <param name="value">Holds the stored bytes on entry; what it holds on return is what the guest sees. At least one byte.</param>
/// <remarks>Runs on the Command thread and answers in milliseconds. Changing <paramref name="value"/> does not change
/// what is stored.</remarks>
public delegate void ConfigReadHandler(int offset, Span<byte> value);
