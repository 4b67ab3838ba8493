using System.Text.Json.Nodes;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>The command line of a guest.</summary>
internal static class QemuArguments
{
    // TCG works everywhere; where KVM is itself emulated, guests hang at boot.
    private static readonly string Accelerator = Environment.GetEnvironmentVariable("VFIO_USER_VM_ACCEL") is { Length: > 0 } name ? name : "tcg";

    public static IEnumerable<string> Of(string initramfs, string? socketPath) =>
    [
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-machine", $"q35,accel={Accelerator},memory-backend=ram", "-cpu", "max", "-m", "256M",
        // Without share=on the server gets no descriptors for guest memory.
        "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
        "-kernel", VmFolder.Kernel, "-initrd", initramfs,
        // A guest that dies stays where it is: a reboot would hide it behind a time-out.
        "-append", "console=ttyS0 quiet oops=panic panic=0",
        .. socketPath is null ? [] : new[] { "-device", Device(socketPath) },
    ];

    private static string Device(string socketPath) => new JsonObject
    {
        ["driver"] = "vfio-user-pci",
        ["socket"] = new JsonObject { ["type"] = "unix", ["path"] = socketPath },
    }.ToJsonString();
}
