using System.Numerics;
using VfioUser.Schedules;

namespace System.Threading;

/// <summary>As the runtime's, on a schedule: only one thread moves at a time.</summary>
internal static class Interlocked
{
    public static T Increment<T>(ref T location)
        where T : IBinaryInteger<T>
    {
        Schedule.Point("increments");
        return ++location;
    }

    public static T Decrement<T>(ref T location)
        where T : IBinaryInteger<T>
    {
        Schedule.Point("decrements");
        return --location;
    }

    public static T Add<T>(ref T location, T value)
        where T : IBinaryInteger<T>
    {
        Schedule.Point("adds");
        return location += value;
    }

    public static T And<T>(ref T location, T value)
        where T : IBinaryInteger<T>
    {
        Schedule.Point("clears bits");
        T before = location;
        location &= value;
        return before;
    }

    public static T Or<T>(ref T location, T value)
        where T : IBinaryInteger<T>
    {
        Schedule.Point("sets bits");
        T before = location;
        location |= value;
        return before;
    }

    public static T Exchange<T>(ref T location, T value)
    {
        Schedule.Point("exchanges");
        T before = location;
        location = value;
        return before;
    }

    public static T CompareExchange<T>(ref T location, T value, T comparand)
    {
        Schedule.Point("compares and exchanges");
        T before = location;
        if (typeof(T).IsValueType ? EqualityComparer<T>.Default.Equals(before, comparand) : ReferenceEquals(before, comparand))
            location = value;
        return before;
    }

    public static long Read(ref readonly long location) => Volatile.Read(in location);

    public static void MemoryBarrier() => Schedule.Point("passes a barrier");

    public static void MemoryBarrierProcessWide() => MemoryBarrier();
}
