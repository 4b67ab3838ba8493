using VfioUser.Testing;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.Shell;

/// <summary>The guest's memory: how the device reaches it, and its size in bytes.</summary>
internal sealed record ShellMemory(GuestMemoryKind Kind, ulong Size)
{
    public const ulong DefaultSize = 16 << 20;
    private const ulong PageSize = 4096;
    private const ulong LargestSize = 1ul << 40;

    /// <summary>The words for the kinds.</summary>
    public static IReadOnlyList<string> Names { get; } = ["mapped", "file", "twin", "message"];

    /// <exception cref="UsageException">There is no such kind, or no such size.</exception>
    public static ShellMemory Of(string kind, ulong size)
    {
        int index = Names.ToList().FindIndex(name => name.Equals(kind, StringComparison.OrdinalIgnoreCase));
        if (index < 0)
            throw new UsageException($"'{kind}' is no kind of memory{(Nearest.To(kind, Names) is { } near ? $"; did you mean {near}?" : $": {string.Join(", ", Names)}.")}");
        if (size is 0 or > LargestSize || size % PageSize != 0)
            throw new UsageException($"Memory has a multiple of {PageSize} bytes, not {size}.");
        return new ShellMemory((GuestMemoryKind)index, size);
    }
}
