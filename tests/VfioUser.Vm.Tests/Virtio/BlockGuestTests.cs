using System.Diagnostics;
using System.Globalization;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Tests;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A virtio disk under Linux's own driver.</summary>
public sealed class BlockGuestTests : IDisposable
{
    private const string Disk = BlockGuest.Disk;
    private const string Sums = $"mount -t ext4 -o ro {Disk} /mnt && (cd /mnt && find bin modules -type f | sort | xargs md5sum) && umount /mnt";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("block-");

    private string ImagePath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    [VmTheory]
    [InlineData(true, MachineIommu.None, MachineMemory.SealedMemfd)]
    [InlineData(false, MachineIommu.Strict, MachineMemory.SealedMemfd)]
    [InlineData(true, MachineIommu.Strict, MachineMemory.NotShared)]
    public async Task Linux_verifies_what_it_writes_and_discards_through_growth_and_rescans(bool packed, MachineIommu iommu, MachineMemory memory)
    {
        using FileDisk disk = FileDisk.Open(ImagePath, size: 64 << 20);
        using VirtioBlock device = new(disk, new VirtioBlockOptions { OffersPackedRings = packed, SerialNumber = "vda-of-a-test" });
        await using ServedDevice served = new(device);
        await using VirtualMachine machine = await BlockGuest.Start(served.SocketPath, iommu, memory);
        bool isQuick = memory == MachineMemory.NotShared; // each access is a message

        (await machine.Output("cat /sys/block/vda/serial; echo; ls /sys/block/vda/mq | wc -l; cat /sys/block/vda/queue/write_cache; cat /sys/block/vda/size"))
            .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Should().Equal("vda-of-a-test", "4", "write back", "131072");
        (await machine.Verify(isQuick ? "4M" : "32M")).Should().Contain("verified");
        await machine.Output($"/bin/blkdiscard -o 1M -l 1M {Disk} && /bin/blkdiscard -z -o 2M -l 1M {Disk}");
        (await machine.Output($"dd if={Disk} bs=1M skip=1 count=2 iflag=direct 2>/dev/null | tr -d '\\0' | wc -c")).Trim().Should().Be("0");

        Grow(96 << 20);
        disk.UpdateSize();
        await machine.Output("i=0; until [ $(cat /sys/block/vda/size) = 196608 ] || [ $i = 1000 ]; do usleep 10000; i=$((i+1)); done");
        (await machine.Output("cat /sys/block/vda/size")).Trim().Should().Be("196608");
        (await machine.Output($"dd if=/dev/urandom of={Disk} bs=1M seek=95 count=1 oflag=direct conv=fsync 2>/dev/null && echo written")).Should().Contain("written");

        await machine.Output($"dd if=/dev/urandom of=/tmp/data bs=64k count=4 2>/dev/null; dd if=/tmp/data of={Disk} bs=64k oflag=direct 2>/dev/null");
        for (int i = 0; i < (isQuick ? 3 : 20); i++)
        {
            await machine.Output("echo 1 >$(readlink -f /sys/bus/virtio/devices/virtio*/..)/remove; echo 1 >/sys/bus/pci/rescan");
            await machine.WaitForDisk();
            await machine.Output($"dd if={Disk} bs=64k count=4 iflag=direct 2>/dev/null | cmp - /tmp/data");
        }

        ((VirtioFeatures)device.Features).HasFlag(VirtioFeatures.RingPacked).Should().Be(packed);
        (await machine.Output("dmesg")).Should().NotContainAny("nobody cared", "DMAR: [DMA", "I/O error");
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Linux_drives_the_disk_by_INTx_in_memory_that_can_shrink()
    {
        using MemoryDisk disk = new(64 << 20);
        using VirtioBlock device = new(disk);
        await using ServedDevice served = new(device);
        MachineMemory memory = HugePages.Have(512 << 20) ? MachineMemory.HugePages : MachineMemory.UnsealedMemfd;
        await using VirtualMachine machine = await BlockGuest.Start(served.SocketPath, memory: memory, kernelArguments: "pci=nomsi");

        (await machine.Verify("8M")).Should().Contain("verified");

        (await machine.Output("grep virtio /proc/interrupts")).Should().Contain("IO-APIC").And.NotContain("MSI");
        (await machine.Output("dmesg")).Should().NotContainAny("nobody cared", "I/O error");
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Files_outlive_the_guest_and_the_server()
    {
        string written;
        using (FileDisk disk = FileDisk.Open(ImagePath, size: 128 << 20))
        using (VirtioBlock device = new(disk))
        await using (ServedDevice served = new(device))
        await using (VirtualMachine machine = await BlockGuest.Start(served.SocketPath))
        {
            await machine.Output($"mkfs.ext4 -q {Disk} && mount -t ext4 {Disk} /mnt && cp -a /bin /modules /mnt && umount /mnt");
            await machine.Output($"fsck.ext4 -fn {Disk}");
            written = await machine.Output("cd / && find bin modules -type f | sort | xargs md5sum");

            await machine.Reboot();

            await machine.WaitForDisk();
            (await machine.Output(Sums)).Should().Be(written);
            await machine.PowerOff();
        }

        using FileDisk again = FileDisk.Open(ImagePath);
        using VirtioBlock split = new(again, new VirtioBlockOptions { OffersPackedRings = false });
        await using ServedDevice second = new(split);
        await using VirtualMachine other = await BlockGuest.Start(second.SocketPath);

        await other.Output($"fsck.ext4 -fn {Disk}");
        (await other.Output(Sums)).Should().Be(written);
    }

    [VmFact]
    public async Task Flushed_blocks_are_in_the_file_when_the_server_is_killed()
    {
        const int records = 30;
        const int blockSize = 4096;
        string socketPath = Path.Combine(_folder.FullName, "block.sock");
        using SampleProcess server = await SampleProcess.Start("virtio", "serve", "block", "--socket", socketPath, "--disk", ImagePath, "--size", "64M");
        await using VirtualMachine machine = await BlockGuest.Start(socketPath);
        // the second half of the disk is under load meanwhile
        await machine.Output($"fio --name=load --filename={Disk} --direct=1 --ioengine=libaio --iodepth=32 --rw=randwrite --bs=4k " +
            "--offset=32M --size=32M --time_based --runtime=1h >/dev/null 2>&1 &");

        // conv=fsync: dd ends when the disk has flushed; only then the record is told
        await machine.Begin($"i=0; while echo \"record $i\" | dd of={Disk} bs={blockSize} seek=$i conv=notrunc,sync,fsync 2>/dev/null; do echo \"flushed $i\"; i=$((i+1)); done");
        await machine.WaitFor($"^flushed {records}$");
        server.Kill();

        using FileStream file = File.OpenRead(ImagePath);
        byte[] block = new byte[blockSize];
        for (int i = 0; i <= records; i++)
        {
            file.ReadExactly(block);
            byte[] expected = new byte[blockSize];
            System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"record {i}\n"), expected);
            block.Should().Equal(expected, "record {0} was flushed", i);
        }
    }

    // by another process, for in this one .NET would see the disk's lock
    private void Grow(long size)
    {
        using Process truncate = Process.Start("truncate", ["-s", size.ToString(CultureInfo.InvariantCulture), ImagePath]);
        truncate.WaitForExit();
        truncate.ExitCode.Should().Be(0);
    }
}
