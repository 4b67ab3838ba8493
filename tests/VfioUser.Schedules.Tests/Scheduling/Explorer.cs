namespace VfioUser.Schedules;

/// <summary>Runs a scenario on every schedule with few preemptions.</summary>
internal static class Explorer
{
    private const int MaxPreemptions = 2;
    private const int MaxSchedules = 200_000;

    /// <summary>Called in the assembly that was compiled anew.</summary>
    /// <param name="scenario">The type's full name.</param>
    /// <returns>How many schedules there were, and what went wrong on the last one; null for nothing.</returns>
    public static (int Schedules, string? Failure) Explore(string scenario)
    {
        Type type = typeof(Explorer).Assembly.GetType(scenario, throwOnError: true)!;
        Choices choices = new(MaxPreemptions);
        int schedules = 0;
        do
        {
            using Scenario run = (Scenario)Activator.CreateInstance(type)!;
            Schedule schedule = new(choices, run.Threads);
            schedule.Run();
            if (schedule.Failure is null)
                CheckEnd(run, schedule);
            schedules++;
            if (schedule.Failure is not null)
                return (schedules, schedule.Failure);
            Schedule.Require(schedules < MaxSchedules, $"more than {MaxSchedules} schedules: the scenario is too large");
        }
        while (choices.MoveNext());
        return (schedules, null);
    }

    private static void CheckEnd(Scenario run, Schedule schedule)
    {
        try
        {
            run.CheckEnd();
        }
        catch (InvalidOperationException e)
        {
            schedule.Fail(e.Message);
        }
    }
}
