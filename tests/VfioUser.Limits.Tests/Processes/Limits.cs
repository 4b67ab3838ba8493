using System.Runtime.InteropServices;

namespace VfioUser.Limits.Tests;

/// <summary>What the system lets this process do, or no longer.</summary>
internal static class Limits
{
    private const int NumberOfFiles = 7;
    private const uint CapabilityVersion = 0x20080522;

    /// <summary>How many descriptors there may be: none is given a higher number.</summary>
    public static ulong Descriptors
    {
        get
        {
            Check(GetLimit(NumberOfFiles, out Limit limit));
            return limit.Soft;
        }

        set
        {
            Check(GetLimit(NumberOfFiles, out Limit limit));
            Check(SetLimit(NumberOfFiles, limit with { Soft = value }));
        }
    }

    /// <summary>Takes what root may do more than others from the thread that calls.</summary>
    public static void DropPrivileges() =>
        Check(SetCapabilities(new CapabilityHeader(CapabilityVersion, 0), new CapabilitySets(0, 0, 0, 0, 0, 0)));

    private static void Check(int result)
    {
        if (result != 0)
            throw new IOException($"A limit cannot be set: {Marshal.GetLastPInvokeErrorMessage()}.");
    }

    [StructLayout(LayoutKind.Sequential)]
    private record struct Limit(ulong Soft, ulong Hard);

    // of the calling thread, when the process is 0
    [StructLayout(LayoutKind.Sequential)]
    private record struct CapabilityHeader(uint Version, int Process);

    // effective, permitted and inheritable, in two times 32 bits
    [StructLayout(LayoutKind.Sequential)]
    private record struct CapabilitySets(uint Effective, uint Permitted, uint Inheritable, uint Effective2, uint Permitted2, uint Inheritable2);

    [DllImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetLimit(int resource, out Limit limit);

    [DllImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetLimit(int resource, in Limit limit);

    [DllImport("libc", EntryPoint = "capset", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetCapabilities(in CapabilityHeader header, in CapabilitySets sets);
}
