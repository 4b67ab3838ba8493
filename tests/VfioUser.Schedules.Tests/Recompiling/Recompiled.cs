using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace VfioUser.Schedules;

/// <summary>Explores scenarios in an assembly that is made of changed sources.</summary>
internal static class Recompiled
{
    public static (int Schedules, string? Failure) Explore(CSharpCompilation compilation, Type scenario)
    {
        using MemoryStream image = new();
        Diagnostic[] errors = [.. compilation.Emit(image).Diagnostics.Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        if (errors.Length > 0)
            throw new InvalidOperationException(string.Join('\n', errors.Take(10)));
        image.Position = 0;
        AssemblyLoadContext context = new(nameof(Recompiled), isCollectible: true);
        try
        {
            Type explorer = context.LoadFromStream(image).GetType(typeof(Explorer).FullName!, throwOnError: true)!;
            return ((int, string?))explorer.GetMethod(nameof(Explorer.Explore))!.Invoke(null, [scenario.FullName])!;
        }
        finally
        {
            context.Unload();
        }
    }
}
