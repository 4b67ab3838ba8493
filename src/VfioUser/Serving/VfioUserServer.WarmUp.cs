namespace VfioUser;

/// <content>What a host may do before it listens.</content>
public sealed partial class VfioUserServer
{
    /// <summary>Runs a short session with a device of its own, inside the process: what the first client of a server would wait for has
    /// been loaded and compiled then. Blocks meanwhile, for a fraction of a second.</summary>
    /// <exception cref="IOException">The system has no free descriptors.</exception>
    /// <remarks>Any thread, before the server listens, or while it does. The devices of the program, its log and its metrics have no part
    /// in it. A program that was compiled ahead gains little; one that is compiled as it runs answers its first client as fast as later
    /// ones, but is not yet optimized.</remarks>
    public static void WarmUp() => _ = WarmUpSession.Run();
}
