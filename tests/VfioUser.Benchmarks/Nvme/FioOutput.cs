using System.Globalization;

namespace VfioUser.Benchmarks;

/// <summary>What fio prints with --minimal: fields of its terse format, version 3.</summary>
internal static class FioOutput
{
    private const int ReadIops = 7, WriteIops = 48;

    public static double Iops(string output, bool write)
    {
        string[] fields = output.Split('\n').Single(line => line.StartsWith("3;", StringComparison.Ordinal)).Split(';');
        return double.Parse(fields[write ? WriteIops : ReadIops], CultureInfo.InvariantCulture);
    }
}
