using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A file system on a disk that is a file.</summary>
public class NvmeFileSystemTests
{
    private const string Disk = NvmeGuest.Disk;
    private const string Sums = $"mount -t ext4 -o ro {Disk} /mnt && (cd /mnt && find bin modules -type f | sort | xargs md5sum) && umount /mnt";

    [VmFact]
    public async Task Files_outlive_the_guest_and_the_server()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-");
        string image = Path.Combine(folder.FullName, "disk.img");
        try
        {
            string written;
            await using (var served = new ServedDisk(FileDisk.Open(image, size: 128 << 20)))
            await using (VirtualMachine machine = await NvmeGuest.Start(served.SocketPath))
            {
                await machine.Output($"mkfs.ext4 -q {Disk} && mount -t ext4 {Disk} /mnt && cp -a /bin /modules /mnt && umount /mnt");
                await machine.Output($"fsck.ext4 -fn {Disk}");
                written = await machine.Output("cd / && find bin modules -type f | sort | xargs md5sum");

                await machine.Reboot();

                await machine.WaitForDisk();
                (await machine.Output(Sums)).Should().Be(written);
                served.Failures.Should().BeEmpty();
                await machine.PowerOff();
            }

            // The other way of doorbells, too.
            await using var again = new ServedDisk(FileDisk.Open(image), new NvmeControllerOptions { Doorbells = NvmeDoorbellKind.Mapped });
            await using VirtualMachine second = await NvmeGuest.Start(again.SocketPath);

            await second.Output($"fsck.ext4 -fn {Disk}");
            (await second.Output(Sums)).Should().Be(written);
            again.Failures.Should().BeEmpty();
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
