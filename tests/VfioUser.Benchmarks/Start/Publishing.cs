using System.Diagnostics;

namespace VfioUser.Benchmarks;

/// <summary>A way to publish a program.</summary>
/// <param name="Word">On the command line.</param>
/// <param name="Name">In the table.</param>
/// <param name="HasRuntime">Whether the runtime is part of it.</param>
/// <param name="Properties">Of the build.</param>
internal sealed record Publishing(string Word, string Name, bool HasRuntime, params string[] Properties)
{
    private const string Project = "tests/VfioUser.ColdServer";

    public static readonly Publishing[] All =
    [
        new("jit", "compiled as it runs", false),
        new("r2r", "ReadyToRun", false, "-p:PublishReadyToRun=true"),
        new("aot", "Native AOT", true, "-p:PublishAot=true"),
    ];

    /// <summary>Publishes the server. A warning of the compiler is an error.</summary>
    /// <returns>The program; null if this machine cannot, which it has said why.</returns>
    public string? Publish(DirectoryInfo folder)
    {
        string output = folder.CreateSubdirectory(Word).FullName;
        using Process publish = Process.Start(new ProcessStartInfo("dotnet",
            ["publish", Project, "-c", "Release", "-r", "linux-x64", "--self-contained", HasRuntime ? "true" : "false", "-o", output, "-v", "quiet", .. Properties])
        {
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        string said = publish.StandardOutput.ReadToEnd();
        publish.WaitForExit();
        if (publish.ExitCode == 0)
            return Path.Combine(output, "VfioUser.ColdServer");
        Console.Error.WriteLine($"{Name} is left out: {said.Trim()}");
        return null;
    }
}
