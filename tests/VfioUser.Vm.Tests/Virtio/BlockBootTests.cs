using System.Globalization;
using System.Text;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A machine that has nothing but the disk: SeaBIOS with a boot loader, and UEFI, find Linux there.</summary>
public class BlockBootTests
{
    private const string Disk = BlockGuest.Disk;

    private static readonly Initramfs System = new(modules: ["virtio_blk"], programs: []);

    private static readonly Initramfs Installer = new(
        modules: ["virtio_blk", "ext4", "crc32c_generic"],
        programs: ["mkfs.ext4", "extlinux"],
        files: () => [VmFolder.Kernel, System.Build()]);

    [VmFact]
    public async Task SeaBIOS_boots_Linux_from_the_disk()
    {
        using MemoryDisk disk = new(64 << 20);
        using VirtioBlock device = new(disk);
        await using ServedDevice served = new(device);
        await using (VirtualMachine installer = await VirtualMachine.Start(Installer, served.SocketPath))
        {
            await installer.WaitForDisk();
            await Install(installer);
            await installer.PowerOff();
        }

        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { SocketPaths = [served.SocketPath] });

        await machine.WaitForDisk();
        (await machine.Output("cat /proc/cmdline")).Should().Contain("BOOT_IMAGE=vmlinuz");
        (await machine.Output("cat /sys/block/vda/serial")).Should().MatchRegex("VU[0-9A-F]{16}");
    }

    [VmFact]
    public async Task UEFI_boots_Linux_from_the_disk()
    {
        // Debian's OVMF starts the program that a disk has for it, and no shell of its own
        byte[] shell = await File.ReadAllBytesAsync(await Package("efi-shell-x64", "efi-shell-x64/shellx64.efi"));
        string startup = $"fs0:\r\nvmlinuz.efi initrd=\\initrd.gz {QemuArguments.KernelArguments}\r\n";
        using MemoryDisk disk = FatDisk.Create(64 << 20, shell,
            ("STARTUP.NSH", Encoding.ASCII.GetBytes(startup)),
            ("VMLINUZ.EFI", await File.ReadAllBytesAsync(VmFolder.Kernel)),
            ("INITRD.GZ", await File.ReadAllBytesAsync(System.Build())));
        using VirtioBlock device = new(disk);
        await using ServedDevice served = new(device);

        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions
        {
            SocketPaths = [served.SocketPath],
            Arguments = ["-bios", await Package("ovmf", "ovmf/OVMF.fd")],
        });

        await machine.WaitForDisk();
        (await machine.Output("cat /proc/cmdline")).Should().Contain(@"initrd=\initrd.gz");
        (await machine.Output("ls -d /sys/firmware/efi")).Should().Be("/sys/firmware/efi");
    }

    private static async Task<string> Package(string name, string file)
    {
        await GuestFolder.Installed.FetchPackageAsync(name);
        return GuestFolder.Installed.In("packages", name, "usr", "share", file);
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
