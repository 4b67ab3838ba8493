namespace VfioUser.Protocol.Tests.Transport;

/// <summary>Tests that count all descriptors of the process, and so run when no other does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class CountsDescriptors
{
    public const string Name = "Counts all descriptors";

    internal static int Open()
    {
        // what earlier tests dropped is closed now, not in the middle of this one
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Directory.GetFiles("/proc/self/fd").Length;
    }
}
