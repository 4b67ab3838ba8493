using VfioUser.Schedules;

namespace System.Threading;

/// <summary>As the runtime's, on a schedule: only one thread moves at a time.</summary>
internal static class Volatile
{
    public static T Read<T>(ref readonly T location)
    {
        Schedule.Point("reads");
        return location;
    }

    public static void Write<T>(ref T location, T value)
    {
        Schedule.Point("writes");
        location = value;
    }
}
