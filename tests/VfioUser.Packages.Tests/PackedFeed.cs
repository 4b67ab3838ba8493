using System.Globalization;
using System.Reflection;

namespace VfioUser.Packages.Tests;

/// <summary>All packages, packed once from the sources, in a feed of their own outside the tree.</summary>
public sealed class PackedFeed : IAsyncLifetime
{
    public static readonly string[] Libraries =
        ["VfioUser.Protocol", "VfioUser", "VfioUser.Client", "VfioUser.Testing", "VfioUser.Testing.Linux", "VfioUser.Testing.Hosting", "VfioUser.Hosting", "VfioUser.Disks", "VfioUser.Nvme", "VfioUser.Network", "VfioUser.Virtio"];

    public static readonly string[] All = [.. Libraries, "VfioUser.Tool", "VfioUser.Templates"];

    private readonly string _suffix = string.Create(CultureInfo.InvariantCulture, $"test.{Guid.NewGuid():N}");
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-packages-");

    /// <summary>Of no other run, so that none finds what an earlier one has left.</summary>
    public string Version { get; private set; } = "";

    public string Feed => PathOf("feed");

    /// <summary>What programs of a consumer are run with: packages go to a folder of this run, what others have is borrowed.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["NUGET_PACKAGES"] = PathOf("packages"),
        ["NUGET_FALLBACK_PACKAGES"] = System.Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(System.Environment.GetFolderPath(System.Environment.SpecialFolder.UserProfile), ".nuget", "packages"),
    };

    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    public string PackageOf(string name, string kind = "nupkg") => Path.Combine(Feed, $"{name}.{Version}.{kind}");

    public async Task InitializeAsync()
    {
        string root = typeof(PackedFeed).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(data => data.Key is "RepositoryRoot").Value!;
        string projects = string.Join(", ", All.Select(name => $"\"src/{name}/{name}.csproj\""));
        string filter = PathOf("packages.slnf");
        await File.WriteAllTextAsync(filter, $$"""{ "solution": { "path": "{{root}}VfioUser.sln", "projects": [ {{projects}} ] } }""");
        Directory.CreateDirectory(PathOf("packages"));
        // builds of the tree's own may be under way: nothing is shared with them
        string said = await Dotnet.Run(root, new Dictionary<string, string>(StringComparer.Ordinal),
            "pack", filter, "-c", "Release", "-o", Feed, "--artifacts-path", PathOf("artifacts"), $"-p:VersionSuffix={_suffix}", "-p:RunAnalyzers=false");
        said.Should().NotContain(": warning ");
        Version = Path.GetFileNameWithoutExtension(Directory.GetFiles(Feed, "VfioUser.Protocol.*.nupkg").Single())["VfioUser.Protocol.".Length..];
        await File.WriteAllTextAsync(PathOf("NuGet.config"), $"""
            <configuration>
              <packageSources>
                <add key="packed" value="{Feed}" />
              </packageSources>
            </configuration>
            """);
    }

    public Task DisposeAsync()
    {
        _folder.Delete(recursive: true);
        return Task.CompletedTask;
    }
}
