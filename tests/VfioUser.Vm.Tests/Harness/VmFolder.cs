namespace VfioUser.Vm.Tests.Harness;

/// <summary>The guest that these tests boot, or the reason why there is none.</summary>
internal static class VmFolder
{
    /// <summary>Why there is no VM and what to do about it, in one line; null if there is one.</summary>
    public static string? Missing => GuestFolder.Missing is { } why ? $"{why}: run src/VfioUser.Testing.Linux/vm/get-vm" : null;

    /// <summary>Whether tests without a VM fail (as in CI) or are skipped.</summary>
    public static bool IsRequired => Environment.GetEnvironmentVariable("VFIO_USER_VM_REQUIRED") is "1" or "true";

    public static string Kernel => GuestFolder.Installed.Kernel;
}
