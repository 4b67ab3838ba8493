namespace VfioUser.Limits.Tests;

/// <summary>Goes through one scenario in a process of its own, whose limits are nobody else's.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        Action scenario = args[0] switch
        {
            nameof(ReceivingScenario) => ReceivingScenario.Run,
            nameof(AcceptingScenario) => AcceptingScenario.Run,
            nameof(SendingScenario) => SendingScenario.Run,
            nameof(MappingScenario) => MappingScenario.Run,
            _ => throw new ArgumentException($"There is no scenario {args[0]}.", nameof(args)),
        };
        scenario();
        return 0;
    }
}
