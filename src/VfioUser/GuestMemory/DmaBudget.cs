using System.Globalization;

namespace VfioUser;

/// <summary>
/// Limits what all clients together use of this process's limited resources: mappings, address space, descriptors.
/// The .NET runtime crashes when one of them runs out, so clients get half and the process keeps half.
/// </summary>
/// <remarks>Any thread.</remarks>
/// <param name="mappings">Most mappings of all clients together.</param>
/// <param name="mappedBytes">Most bytes of address space for those.</param>
/// <param name="files">Most descriptors kept open.</param>
internal sealed class DmaBudget(long mappings, long mappedBytes, long files)
{
    private long _mappings;
    private long _mappedBytes;
    private long _files;

    /// <summary>The budget shared by all servers of this process, from the process's limits.</summary>
    public static DmaBudget OfProcess { get; } = new(MaxMappings() / 2, AddressSpace() / 2, MaxFiles() / 2);

    public bool TryTakeMapping(ulong bytes)
    {
        if (bytes > long.MaxValue || !TryTake(ref _mappings, 1, mappings))
            return false;
        if (TryTake(ref _mappedBytes, (long)bytes, mappedBytes))
            return true;
        Interlocked.Decrement(ref _mappings);
        return false;
    }

    public void GiveMappingBack(ulong bytes)
    {
        Interlocked.Add(ref _mappedBytes, -(long)bytes);
        Interlocked.Decrement(ref _mappings);
    }

    public bool TryTakeFile() => TryTake(ref _files, 1, files);

    public void GiveFileBack() => Interlocked.Decrement(ref _files);

    /// <summary>What is in use.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Volatile.Read(ref _mappings)} mappings of {Volatile.Read(ref _mappedBytes)} bytes, {Volatile.Read(ref _files)} files");

    private static bool TryTake(ref long used, long amount, long limit)
    {
        long seen = Volatile.Read(ref used);
        while (amount <= limit - seen)
        {
            long found = Interlocked.CompareExchange(ref used, seen + amount, seen);
            if (found == seen)
                return true;
            seen = found;
        }
        return false;
    }

    private static long MaxMappings() => Number(FirstLine("/proc/sys/vm/max_map_count", _ => true)) ?? 65530;

    // "Max open files            1024                 524288               files"
    private static long MaxFiles() =>
        Number(FirstLine("/proc/self/limits", line => line.StartsWith("Max open files", StringComparison.Ordinal))?["Max open files".Length..]) ?? 1024;

    // The stack is near the top of the address space: "7ffd3c5e0000-7ffd3c601000 rw-p ...  [stack]".
    private static long AddressSpace()
    {
        string? stack = FirstLine("/proc/self/maps", line => line.EndsWith("[stack]", StringComparison.Ordinal));
        return stack is not null && long.TryParse(stack.AsSpan(0, Math.Max(0, stack.IndexOf('-', StringComparison.Ordinal))),
            NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long top) && top > 0
            ? 1L << (64 - System.Numerics.BitOperations.LeadingZeroCount((ulong)top))
            : 1L << 39;
    }

    private static string? FirstLine(string path, Func<string, bool> matches)
    {
        try
        {
            return File.ReadLines(path).FirstOrDefault(matches);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // without access to /proc, the usual value is assumed
        }
    }

    private static long? Number(string? line) =>
        long.TryParse(line?.Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : null;
}
