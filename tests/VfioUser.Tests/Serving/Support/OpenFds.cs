namespace VfioUser.Tests.Serving;

/// <summary>What this process holds open: tests that look at it run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class OpenFds
{
    public const string Name = "open descriptors";

    private readonly List<string> _targets;

    private OpenFds(List<string> targets) => _targets = targets;

    /// <summary>Every descriptor by what is behind it, after what earlier tests forgot is gone.</summary>
    internal static OpenFds Now()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Uncollected();
    }

    private static OpenFds Uncollected()
    {
        List<string> targets = [];
        foreach (string link in Directory.GetFileSystemEntries("/proc/self/fd"))
        {
            // files on disk are the runtime's: assemblies and symbols, opened when they are needed
            if (new FileInfo(link).LinkTarget is { } target && (target[0] != '/' || target.StartsWith("/memfd:", StringComparison.Ordinal) || target.StartsWith("/dev/", StringComparison.Ordinal)))
                targets.Add(target);
        }
        return new OpenFds(targets);
    }

    /// <summary>How often the memory of a file is mapped.</summary>
    internal static int Mappings(string name) => File.ReadLines("/proc/self/maps").Count(line => line.Contains(name, StringComparison.Ordinal));

    /// <summary>What is open now and was not before.</summary>
    internal IReadOnlyList<string> More() => Beyond(Now());

    /// <summary>The same, without a garbage collection that would close what was forgotten.</summary>
    internal IReadOnlyList<string> MoreUncollected() => Beyond(Uncollected());

    private List<string> Beyond(OpenFds now)
    {
        List<string> more = now._targets;
        _targets.ForEach(target => more.Remove(target));
        return more;
    }
}
