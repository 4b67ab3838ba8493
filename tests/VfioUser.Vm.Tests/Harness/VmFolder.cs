namespace VfioUser.Vm.Tests.Harness;

/// <summary>The folder that <c>get-vm</c> fills, or the reason why there is none.</summary>
internal static class VmFolder
{
    private static readonly Lazy<Location> Found = new(Find);

    /// <summary>Why there is no VM and what to do about it, in one line; null if there is one.</summary>
    public static string? Missing => Found.Value.Missing;

    /// <summary>Whether tests without a VM fail (as in CI) or are skipped.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("VFIO_USER_VM_REQUIRED") is "1" or "true";

    public static string Folder => Found.Value.Folder ?? throw new InvalidOperationException(Missing);

    public static string Qemu => Found.Value.Qemu ?? throw new InvalidOperationException(Missing);

    public static string KernelRelease => File.ReadAllText(Path.Combine(Folder, "guest", "kernel-release")).Trim();

    public static string Kernel => Path.Combine(Folder, "guest", "boot", $"vmlinuz-{KernelRelease}");

    private static Location Find()
    {
        if (!OperatingSystem.IsLinux())
        {
            return new Location(null, null, "VM tests need Linux");
        }

        CommandResult folder = Script.Run("get-vm", "--check");
        return folder.ExitCode == 0
            ? new Location(folder.Output, Script.Run("find-qemu", folder.Output).OutputOrThrow("find-qemu"), null)
            : new Location(null, null, $"{folder.Output}: run tests/VfioUser.Vm.Tests/vm/get-vm");
    }

    private sealed record Location(string? Folder, string? Qemu, string? Missing);
}
