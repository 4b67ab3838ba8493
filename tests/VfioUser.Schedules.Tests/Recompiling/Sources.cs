using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;

namespace VfioUser.Schedules;

/// <summary>The library's sources, with the threading of this project, its scheduler and its scenarios: parsed once.</summary>
public sealed class Sources
{
    private static readonly string[] Folders = ["Scheduling", "Threading", "Scenarios"];
    private static readonly CSharpParseOptions ParseOptions = new(LanguageVersion.Preview);

    // what <ImplicitUsings> gives
    private const string Usings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq;
        global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;
        """;

    private readonly CSharpCompilation _compilation;

    public Sources()
    {
        string root = Metadata("RepositoryRoot");
        string library = Path.Combine(root, "src/VfioUser");
        string tests = Path.Combine(root, "tests/VfioUser.Schedules.Tests");
        string[] files =
        [
            .. Directory.EnumerateDirectories(library).Where(IsSource).SelectMany(All), .. Directory.EnumerateFiles(library, "*.cs"),
            .. Folders.SelectMany(folder => All(Path.Combine(tests, folder))),
        ];
        string platform = (string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!;
        CSharpCompilation compilation = CSharpCompilation.Create(
            "VfioUser", // under this name it may use the internals of VfioUser.Protocol
            [CSharpSyntaxTree.ParseText(Usings, ParseOptions), .. files.Select(file => Parse(file, File.ReadAllText(file)))],
            platform.Split(':').Where(path => Path.GetFileName(path) is not ("VfioUser.dll" or "VfioUser.Schedules.Tests.dll"))
                .Select(path => MetadataReference.CreateFromFile(path)),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, optimizationLevel: OptimizationLevel.Release, nullableContextOptions: NullableContextOptions.Enable,
                specificDiagnosticOptions: [new("VFIOUSER001", ReportDiagnostic.Suppress)])); // as Directory.Build.props
        IEnumerable<ISourceGenerator> generators = AllMetadata("Generator").SelectMany(path => new AnalyzerFileReference(path, new Loader()).GetGenerators(LanguageNames.CSharp));
        CSharpGeneratorDriver.Create(generators, parseOptions: ParseOptions)
            .RunGeneratorsAndUpdateCompilation(compilation, out Compilation generated, out _);
        _compilation = (CSharpCompilation)generated;
    }

    /// <summary>The sources with a point before each statement of a file, and one text in it replaced.</summary>
    internal CSharpCompilation With(string file, string? text, string? replacement)
    {
        SyntaxTree old = _compilation.SyntaxTrees.Single(tree => string.Equals(Path.GetFileName(tree.FilePath), file, StringComparison.Ordinal));
        string source = old.ToString();
        if (text is not null)
        {
            if (!source.Contains(text, StringComparison.Ordinal))
                throw new ArgumentException($"{file} does not contain: {text}");
            source = source.Replace(text, replacement, StringComparison.Ordinal);
        }
        SyntaxNode root = new PointInserter().Visit(CSharpSyntaxTree.ParseText(source, ParseOptions).GetRoot());
        return _compilation.ReplaceSyntaxTree(old, Parse(old.FilePath, root.ToFullString()));
    }

    private static SyntaxTree Parse(string path, string text) => CSharpSyntaxTree.ParseText(SourceText.From(text), ParseOptions, path);

    private static bool IsSource(string folder) => Path.GetFileName(folder) is not ("bin" or "obj");

    private static IEnumerable<string> All(string folder) => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories);

    private static string Metadata(string key) => AllMetadata(key).Single();

    private static IEnumerable<string> AllMetadata(string key) => typeof(Sources).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Where(metadata => string.Equals(metadata.Key, key, StringComparison.Ordinal)).Select(metadata => metadata.Value!);

    private sealed class Loader : IAnalyzerAssemblyLoader
    {
        public void AddDependencyLocation(string fullPath)
        {
            // it has none that the compiler has not
        }

        public Assembly LoadFromPath(string fullPath) => Assembly.LoadFrom(fullPath);
    }
}
