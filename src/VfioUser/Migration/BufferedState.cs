using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A device state that is saved and restored as a whole, through a buffer of bounded size.</summary>
/// <param name="save">Writes the state.</param>
/// <param name="restore">Restores the state.</param>
/// <param name="maxSize">In bytes; a longer state is refused.</param>
internal sealed class BufferedState(Action<IBufferWriter<byte>> save, MigrationRestore restore, int maxSize) : IMigrationState
{
    private ArrayBufferWriter<byte>? _saved;
    private ArrayBufferWriter<byte>? _received;
    private int _given;
    private int? _lastSize;

    public static BufferedState Of<T>(Func<T> save, Action<T> restore)
        where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        return new BufferedState(
            writer =>
            {
                T value = save();
                writer.Write(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
            },
            bytes =>
            {
                if (bytes.Length != size)
                    throw new InvalidDataException($"The state has {bytes.Length} bytes, a {typeof(T).Name} has {size}.");
                restore(MemoryMarshal.Read<T>(bytes));
            },
            size);
    }

    // before it is saved, its last size is the best estimate
    public MigrationEstimate Estimate() => new(_saved is { } saved ? saved.WrittenCount - _given : _lastSize ?? maxSize);

    public void BeginSave() => (_saved, _given) = (null, 0);

    public int Save(Span<byte> destination, bool stopped)
    {
        if (!stopped)
            return 0;
        if (_saved is null)
        {
            ArrayBufferWriter<byte> saved = new();
            save(saved);
            if (saved.WrittenCount > maxSize)
                throw new InvalidOperationException($"The device saved {saved.WrittenCount} bytes, but no restore takes more than {maxSize}. Enable migration with a larger limit.");
            _saved = saved;
            _lastSize = saved.WrittenCount;
        }
        ReadOnlySpan<byte> rest = _saved.WrittenSpan[_given..];
        int count = Math.Min(rest.Length, destination.Length);
        rest[..count].CopyTo(destination);
        _given += count;
        return count;
    }

    public void EndSave() => _saved = null;

    public void BeginRestore() => _received = new ArrayBufferWriter<byte>();

    public void Restore(ReadOnlySpan<byte> source)
    {
        if (source.Length > maxSize - _received!.WrittenCount)
            throw new InvalidDataException($"The state has more than {maxSize} bytes.");
        _received.Write(source);
    }

    public void EndRestore()
    {
        ArrayBufferWriter<byte> received = _received!;
        _received = null;
        restore(received.WrittenSpan);
    }
}
