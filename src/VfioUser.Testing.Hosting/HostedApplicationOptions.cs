using Microsoft.Extensions.DependencyInjection;

namespace VfioUser.Testing.Hosting;

/// <summary>How a program is run in a test. Immutable.</summary>
public sealed record HostedApplicationOptions
{
    /// <summary>The program's command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Called after the program has registered its services, to replace some. Once, on the program's thread.</summary>
    public Action<IServiceCollection>? ConfigureServices { get; init; }

    /// <summary>How long the program may take to start, and to end.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether Dispose throws for an exception of a device that <see cref="HostedApplication{TEntryPoint}.AcceptDeviceExceptions"/> has
    /// not given.</summary>
    public bool FailOnDeviceException { get; init; } = true;
}
