namespace VfioUser;

/// <summary>A register with the handlers of its declaration.</summary>
internal sealed class TypedRegisterPart<T>(
    long start, RegisterLayout layout, string name, Func<T, T>? onRead, Action<RegisterWrite<T>>? onWrite) : RegisterPart(start, layout, name, onWrite is not null)
    where T : unmanaged
{
    protected override ulong Seen(ulong stored) => onRead is null ? stored : RegisterBits.Of(onRead(RegisterBits.From<T>(stored)));

    protected override void Written(ulong old, ulong @new, ulong written, ulong lanes) =>
        onWrite!(new RegisterWrite<T>(old, @new, written, lanes));
}
