using System.Globalization;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A machine that has nothing but the disk: SeaBIOS, which drives NVMe by polling, and a boot loader find Linux there.</summary>
public class NvmeBootTests
{
    private const string Disk = NvmeGuest.Disk;

    private static readonly Initramfs System = new(modules: ["nvme"], programs: []);

    private static readonly Initramfs Installer = new(
        modules: ["nvme", "ext4", "crc32c_generic"],
        programs: ["mkfs.ext4", "extlinux"],
        files: () => [VmFolder.Kernel, System.Build()]);

    [VmFact]
    public async Task SeaBIOS_boots_Linux_from_the_disk()
    {
        await using var served = new ServedDisk(new MemoryDisk(64 << 20));
        await using (VirtualMachine installer = await VirtualMachine.Start(Installer, served.SocketPath))
        {
            await installer.WaitForDisk();
            await Install(installer);
            await installer.PowerOff();
        }

        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { SocketPaths = [served.SocketPath] });

        await machine.WaitForDisk();
        (await machine.Output("cat /proc/cmdline")).Should().Contain("BOOT_IMAGE=vmlinuz");
        (await machine.Output("cat /sys/class/nvme/nvme0/serial")).Should().MatchRegex("VU[0-9A-F]{16}");
        served.Failures.Should().BeEmpty();
    }

    private static async Task Install(VirtualMachine machine)
    {
        string configuration = string.Create(CultureInfo.InvariantCulture,
            $@"SERIAL 0\nDEFAULT linux\nLABEL linux\nLINUX vmlinuz\nINITRD initrd\nAPPEND {QemuArguments.KernelArguments}\n");
        // without what is too new for the boot loader
        await machine.Output($"mkfs.ext4 -q -O ^64bit,^metadata_csum,^orphan_file,^has_journal {Disk} && mount -t ext4 {Disk} /mnt");
        await machine.Output("cp /files/vmlinuz-* /mnt/vmlinuz && cp /files/*.cpio.gz /mnt/initrd");
        await machine.Output($"printf '{configuration}' >/mnt/extlinux.conf && extlinux --install /mnt && umount /mnt");
    }
}
