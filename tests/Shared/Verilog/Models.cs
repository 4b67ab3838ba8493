using System.Diagnostics;
using System.Reflection;
using Cosimulation;

namespace Verilog.Tests.Support;

/// <summary>The models that tests run, built when the first one needs them.</summary>
internal static class Models
{
    private static readonly string[] Tools = ["verilator", "g++", "make"];

    private static readonly string Samples = Path.Combine(
        typeof(Models).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(metadata => string.Equals(metadata.Key, "RepositoryRoot", StringComparison.Ordinal)).Value!,
        "samples");

    private static readonly Lazy<string> CopyCrc = new(() => Build("Verilog/build-rtl", "Verilog/artifacts/copy_crc.so"));

    private static readonly Lazy<string> Unruly = new(() =>
        Build("Cosimulation/build-model", "Verilog.Tests/artifacts/unruly.so", "unruly", Path.Combine(Samples, "Verilog.Tests/rtl/unruly.v")));

    private static readonly Lazy<string> Adder = new(() =>
        Build("Cosimulation/build-model", "Verilog.Tests/artifacts/adder.so", "adder", Path.Combine(Samples, "Verilog.Tests/rtl/adder.v")));

    public static bool IsRequired => Environment.GetEnvironmentVariable("VFIO_USER_VERILATOR_REQUIRED") is "1" or "true";

    /// <summary>Why no model can be built, in one line; null if one can.</summary>
    public static string? Missing => Tools.FirstOrDefault(tool => !IsOnPath(tool)) is { } missing
        ? $"no {missing}: apt-get install verilator g++ make"
        : null;

    /// <summary>The sample's.</summary>
    public static VerilatedModel LoadCopyCrc(string? tracePath = null, long traceCycles = VerilatedModel.DefaultTraceCycles) =>
        VerilatedModel.Load(CopyCrc.Value, tracePath, traceCycles);

    /// <summary>One that misbehaves: <c>rtl/unruly.v</c>.</summary>
    public static VerilatedModel LoadUnruly() => VerilatedModel.Load(Unruly.Value);

    /// <summary>One without a DMA master, about which Verilator warns: <c>rtl/adder.v</c>.</summary>
    public static VerilatedModel LoadAdder() => VerilatedModel.Load(Adder.Value);

    private static bool IsOnPath(string tool) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, tool)));

    private static string Build(string script, string output, params IEnumerable<string> arguments)
    {
        string path = Path.Combine(Samples, output);
        using Process process = Process.Start(new ProcessStartInfo(Path.Combine(Samples, script), [path, .. arguments])
        {
            RedirectStandardError = true,
            UseShellExecute = false,
        }) ?? throw new InvalidOperationException($"{script} did not start");
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? path : throw new InvalidOperationException(errors);
    }
}
