using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VfioUser.Network;

/// <summary>Frames that wait for a device, in order, in one array. What finds no room is lost and counted.</summary>
/// <remarks>Any thread adds; one takes.</remarks>
public sealed class FrameQueue
{
    private static readonly int PrefixLength = Unsafe.SizeOf<Prefix>();

    private readonly Lock _lock = new();
    private readonly int _capacity;
    private byte[]? _bytes; // none for a device that has no traffic
    private int _first;
    private int _end;
    private int _top; // where the frames before the array's beginning end
    private int _count;
    private long _dropped;

    /// <summary>Creates an empty queue.</summary>
    /// <param name="capacity">In bytes, at least 1; each frame takes some more than its own.</param>
    public FrameQueue(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        (_capacity, _top) = (capacity, capacity);
    }

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => Volatile.Read(ref _count) == 0;

    /// <summary>How many frames were lost so far.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Copies a frame to the end, or loses it.</summary>
    /// <returns>Whether there was room, and the sender's memory is there.</returns>
    public bool Add(in NetworkFrame frame) => Add(frame, out _);

    /// <summary>As <see cref="Add(in NetworkFrame)"/>, and says whether it is the first one: then whoever takes them is to be woken.</summary>
    internal bool Add(in NetworkFrame frame, out bool isFirst)
    {
        lock (_lock)
        {
            isFirst = _count == 0;
            int length = PrefixLength + frame.Length;
            _bytes ??= new byte[_capacity];
            if (PlaceFor(length) is { } place && frame.TryCopyTo(0, _bytes.AsSpan(place + PrefixLength, frame.Length)))
            {
                MemoryMarshal.Write(_bytes.AsSpan(place), new Prefix { Length = frame.Length, Offload = frame.Offload });
                if (place == 0 && _count > 0)
                    _top = _end;
                _end = place + length;
                Volatile.Write(ref _count, _count + 1);
                return true;
            }
        }
        Interlocked.Increment(ref _dropped);
        return false;
    }

    /// <summary>Looks at the first frame and leaves it.</summary>
    /// <param name="frame">Valid until it is removed.</param>
    /// <returns>False if there is none.</returns>
    public bool TryPeek(out NetworkFrame frame)
    {
        frame = default;
        lock (_lock)
        {
            if (_count == 0)
                return false;
            Prefix prefix = MemoryMarshal.Read<Prefix>(_bytes.AsSpan(_first));
            frame = new NetworkFrame(_bytes.AsSpan(_first + PrefixLength, prefix.Length), prefix.Offload);
            return true;
        }
    }

    /// <summary>Removes the first frame, if there is one.</summary>
    public void RemoveFirst()
    {
        lock (_lock)
        {
            if (_count == 0)
                return;
            _first += PrefixLength + MemoryMarshal.Read<Prefix>(_bytes.AsSpan(_first)).Length;
            Volatile.Write(ref _count, _count - 1);
            if (_count == 0)
                (_first, _end, _top) = (0, 0, _capacity);
            else if (_first == _top)
                (_first, _top) = (0, _capacity);
        }
    }

    /// <summary>Removes all frames.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            Volatile.Write(ref _count, 0);
            (_first, _end, _top) = (0, 0, _capacity);
        }
    }

    // a frame lies in one piece: at the end of the others, or at the array's beginning
    private int? PlaceFor(int length)
    {
        bool isWrapped = _count > 0 && _end <= _first;
        if (isWrapped)
            return _first - _end >= length ? _end : null;
        if (_capacity - _end >= length)
            return _end;
        return _first >= length ? 0 : null;
    }

    private struct Prefix
    {
        public int Length;
        public FrameOffload Offload;
    }
}
