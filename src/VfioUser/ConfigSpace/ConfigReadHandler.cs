namespace VfioUser;

/// <summary>Answers a guest's read of configuration space.</summary>
/// <param name="offset">First byte of <paramref name="value"/>; the method that takes the handler says where it counts from.</param>
/// <param name="value">Holds the stored bytes on entry, and on return those that the guest reads. At least one byte.</param>
/// <remarks>Runs on the Command thread and answers in milliseconds. Changing <paramref name="value"/> does not change
/// what is stored.</remarks>
public delegate void ConfigReadHandler(int offset, Span<byte> value);
