using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A register with the handlers of its declaration.</summary>
internal sealed class TypedRegisterPart<T>(
    long start, RegisterLayout layout, string name, Func<T, T>? onRead, Action<RegisterWrite<T>>? onWrite) : RegisterPart(start, layout, name, onWrite is not null)
    where T : unmanaged
{
    // here, where the width is known: a write of the whole register is the usual one, and this way costs the least
    public override void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (source.Length != Unsafe.SizeOf<T>() || !Layout.IsReplaced)
        {
            base.Write(offset, source);
            return;
        }
        ulong written = RegisterBits.Of(MemoryMarshal.Read<T>(source));
        ulong old = Replace(written);
        onWrite?.Invoke(new RegisterWrite<T>(old, written, written, ulong.MaxValue));
    }

    protected override ulong Seen(ulong stored) => onRead is null ? stored : RegisterBits.Of(onRead(RegisterBits.From<T>(stored)));

    protected override void Written(ulong old, ulong @new, ulong written, ulong lanes) =>
        onWrite!(new RegisterWrite<T>(old, @new, written, lanes));
}
