using System.Text.Json.Nodes;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>The command line of a guest.</summary>
internal static class QemuArguments
{
    /// <summary>For the kernel, whoever loads it. A guest that dies stays where it is: a reboot would hide it behind a time-out.</summary>
    public const string KernelArguments = "console=ttyS0 quiet oops=panic panic=0";

    // TCG works everywhere; where KVM is itself emulated, guests hang at boot.
    private static readonly string Accelerator = Environment.GetEnvironmentVariable("VFIO_USER_VM_ACCEL") is { Length: > 0 } name ? name : "tcg";

    public static IEnumerable<string> Of(MachineOptions options) =>
    [
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-machine", $"q35,accel={Accelerator},memory-backend=ram", "-cpu", "max", "-m", "256M",
        // Without share=on the server gets no descriptors for guest memory.
        "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
        .. options.Guest is null ? [] : new[] { "-kernel", VmFolder.Kernel, "-initrd", options.Guest.Build(), "-append", KernelArguments },
        .. options.SocketPath is null ? [] : new[] { "-device", Device(options.SocketPath).ToJsonString() },
        .. options.QmpPath is null ? [] : new[] { "-qmp", $"unix:{options.QmpPath},server=on,wait=off" },
        .. options.Arguments,
    ];

    /// <summary>The device that is served on a socket, as QEMU's command line and its monitor take it.</summary>
    public static JsonObject Device(string socketPath) => new()
    {
        ["driver"] = "vfio-user-pci",
        ["socket"] = new JsonObject { ["type"] = "unix", ["path"] = socketPath },
    };
}
