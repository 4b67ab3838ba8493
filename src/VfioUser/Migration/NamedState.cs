using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A structure that a device, or a part of one, has besides its registers. Immutable.</summary>
internal sealed class NamedState<T>(Func<T> save, Action<T> restore, int since, bool isOptional) : ISavedPart
    where T : unmanaged
{
    public int Since => since;

    public bool IsOptional => isOptional;

    public int StateSize => Unsafe.SizeOf<T>();

    public void SaveState(Span<byte> destination)
    {
        T value = save();
        MemoryMarshal.Write(destination, in value);
    }

    // the sizes were compared
    public void RestoreState(ReadOnlySpan<byte> source) => restore(MemoryMarshal.Read<T>(source));

    // the device keeps what it has: restore is not called for a stream without the state
    public void Reset()
    {
    }
}
