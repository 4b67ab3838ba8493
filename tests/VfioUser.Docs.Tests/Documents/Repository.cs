using System.Reflection;

namespace VfioUser.Docs.Tests.Documents;

/// <summary>The files that this assembly was built from.</summary>
internal static class Repository
{
    private static readonly string[] Code = ["src", "samples", "tests"];

    public static string Root { get; } = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(metadata => string.Equals(metadata.Key, "RepositoryRoot", StringComparison.Ordinal)).Value!;

    /// <summary>The README, the documents, and the READMEs of packages and samples.</summary>
    public static IReadOnlyList<Document> Documents() =>
    [
        new Document("README.md"),
        .. Markdown("docs", SearchOption.AllDirectories),
        .. Code.SelectMany(folder => Directory.GetDirectories(PathOf(folder))).SelectMany(folder => Markdown(folder, SearchOption.TopDirectoryOnly)),
    ];

    /// <summary>Every file that is compiled somewhere, of C# or another language.</summary>
    public static IReadOnlyList<SourceFile> Sources(string extension = "cs") =>
    [
        .. Code.SelectMany(folder => Directory.EnumerateFiles(PathOf(folder), $"*.{extension}", SearchOption.AllDirectories))
            .Select(Relative)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal) && !path.Contains("/bin/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(path => new SourceFile(path, File.ReadAllLines(PathOf(path)))),
    ];

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    public static bool Exists(string relative) => Path.Exists(PathOf(relative));

    private static IEnumerable<Document> Markdown(string folder, SearchOption depth) =>
        Directory.EnumerateFiles(PathOf(folder), "*.md", depth).Select(Relative).Order(StringComparer.Ordinal).Select(path => new Document(path));

    private static string Relative(string path) => Path.GetRelativePath(Root, path);
}
