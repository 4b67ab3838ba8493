using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A Debian guest with two processors, its own NVMe driver, and what one does with a disk.</summary>
internal static class NvmeGuest
{
    public const string Disk = "/dev/nvme0n1";

    public static readonly Initramfs Initramfs = new(
        modules: ["nvme", "ext4", "crc32c_generic"],
        programs: ["nvme", "fio", "mkfs.ext4", "fsck.ext4", "blkdiscard"]);

    /// <summary>Boots it with the controller that is served on a socket.</summary>
    public static async Task<VirtualMachine> Start(string socketPath)
    {
        VirtualMachine machine = await VirtualMachine.Start(Options(socketPath));
        await machine.WaitForDisk();
        return machine;
    }

    /// <summary>Boots it with the controllers that are served on two sockets.</summary>
    public static Task<VirtualMachine> Start(string first, string second) =>
        VirtualMachine.Start(Options(first) with { SocketPaths = [first, second] });

    /// <summary>The machine that <see cref="Start"/> boots.</summary>
    public static MachineOptions Options(string socketPath) => new() { Guest = Initramfs, SocketPaths = [socketPath], Arguments = ["-smp", "2"] };

    /// <summary>Waits until the driver has found the disk, which it does in the background.</summary>
    public static Task WaitForDisk(this VirtualMachine machine) => machine.Output($"until [ -b {Disk} ]; do usleep 10000; done");

    /// <summary>The same for a disk of several controllers, which has the number of the one that Linux was ready with first.</summary>
    /// <returns>Its path.</returns>
    public static async Task<string> WaitForSharedDisk(this VirtualMachine machine) =>
        (await machine.Output("until ls /dev/nvme[0-9]n1 2>/dev/null; do usleep 10000; done")).Trim();
}
