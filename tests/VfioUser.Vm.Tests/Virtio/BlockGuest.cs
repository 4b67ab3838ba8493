using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A Debian guest with its own driver of virtio disks, and what one does with a disk.</summary>
internal static class BlockGuest
{
    public const string Disk = "/dev/vda";

    public static readonly Initramfs Initramfs = new(
        modules: ["virtio_blk", "ext4", "crc32c_generic"],
        programs: ["fio", "mkfs.ext4", "fsck.ext4", "blkdiscard"]);

    /// <summary>Boots it with the device that is served on a socket.</summary>
    public static async Task<VirtualMachine> Start(
        string socketPath, MachineIommu iommu = MachineIommu.None, MachineMemory memory = MachineMemory.SealedMemfd, string kernelArguments = "")
    {
        VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
        {
            Guest = Initramfs,
            SocketPaths = [socketPath],
            Iommu = iommu,
            Memory = memory,
            KernelArguments = kernelArguments,
            Arguments = ["-smp", "4"],
        });
        await machine.WaitForDisk();
        return machine;
    }

    /// <summary>Waits until the driver has found the disk, which it does in the background.</summary>
    public static Task WaitForDisk(this VirtualMachine machine) => machine.Output($"until [ -b {Disk} ]; do usleep 10000; done");

    /// <summary>Writes all over a part of the disk, many requests at a time, and reads it back.</summary>
    public static async Task<string> Verify(this VirtualMachine machine, string size) => await machine.Output(
        $"fio --name=all --filename={Disk} --size={size} --direct=1 --ioengine=libaio --iodepth=64 --thread --rw=randwrite --bsrange=4k-64k " +
        "--verify=crc32c --verify_fatal=1 --minimal && echo verified", TimeSpan.FromMinutes(3));
}
