using System.Globalization;
using VfioUser.Protocol;

namespace VfioUser.Tests;

/// <summary>What this process, client and server in one, has open of one file: other tests run at the same time.</summary>
internal static class OpenFiles
{
    /// <summary>Descriptors of the memory file with this name.</summary>
    public static int Descriptors(string memoryFile) =>
        Directory.GetFiles("/proc/self/fd").Count(path => Target(path)?.StartsWith($"/memfd:{memoryFile} ", StringComparison.Ordinal) == true);

    /// <summary>Mappings of the memory file with this name.</summary>
    public static int Mappings(string memoryFile) =>
        File.ReadLines("/proc/self/maps").Count(line => line.Contains($"/memfd:{memoryFile} ", StringComparison.Ordinal));

    /// <summary>Descriptors of the same eventfd.</summary>
    public static int Descriptors(EventFd eventFd)
    {
        string id = Id(string.Create(CultureInfo.InvariantCulture, $"/proc/self/fdinfo/{eventFd.Handle.DangerousGetHandle()}"))!;
        return Directory.GetFiles("/proc/self/fdinfo").Count(path => string.Equals(Id(path), id, StringComparison.Ordinal));
    }

    public static string UniqueName() => $"t-{Guid.NewGuid():N}";

    private static string? Target(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (IOException)
        {
            return null; // closed meanwhile
        }
    }

    private static string? Id(string path)
    {
        try
        {
            return File.ReadLines(path).FirstOrDefault(line => line.StartsWith("eventfd-id:", StringComparison.Ordinal));
        }
        catch (IOException)
        {
            return null; // closed meanwhile
        }
    }
}
