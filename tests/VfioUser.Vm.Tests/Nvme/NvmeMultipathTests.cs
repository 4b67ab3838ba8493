using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Two controllers of one subsystem in one guest: Linux has one disk with two paths.</summary>
public class NvmeMultipathTests
{
    [VmFact]
    public async Task Load_goes_on_while_its_paths_lose_the_disk_in_turn()
    {
        using MemoryDisk disk = new(64 << 20);
        using NvmeSubsystem subsystem = new([disk]);
        await using ServedPath first = new(subsystem), second = new(subsystem);
        await using VirtualMachine machine = await NvmeGuest.Start(first.SocketPath, second.SocketPath);
        string path = await machine.WaitForSharedDisk();
        await machine.Output("i=0; until [ $(ls -d /sys/class/nvme-subsystem/nvme-subsys?/nvme?c?n1 /sys/class/nvme-subsystem/nvme-subsys?/nvme?/nvme?c?n1 2>/dev/null | wc -l) -ge 2 ] || [ $i = 1000 ]; do usleep 10000; i=$((i+1)); done");
        string disks = await machine.Output("ls /sys/class/block | grep nvme");
        await machine.Output($"(fio --name=j --filename={path} --direct=1 --ioengine=libaio --iodepth=8 --rw=randwrite --bs=4k --size=32m --loops=2 --verify=crc32c --verify_fatal=1 >/tmp/fio 2>&1; echo $? >/tmp/result) & echo started");

        for (int turn = 0; turn < 3; turn++)
        {
            await CarriesLoadAlone(second, first);
            await CarriesLoadAlone(first, second);
        }
        await machine.Output("i=0; until [ -s /tmp/result ] || [ $i = 3000 ]; do usleep 10000; i=$((i+1)); done");

        (await machine.Output("cat /tmp/result")).Trim().Should().Be("0", await machine.Output("cat /tmp/fio"));
        disks.Split('\n').Count(name => name.Trim() is "nvme0n1" or "nvme1n1").Should().Be(1, "it is one disk");
        first.Failures.Concat(second.Failures).Should().BeEmpty();
        await machine.PowerOff();
    }

    private static async Task CarriesLoadAlone(ServedPath path, ServedPath other)
    {
        path.Controller.SetAnaState(1, NvmeAnaState.Optimized);
        other.Controller.SetAnaState(1, NvmeAnaState.Inaccessible);
        await WaitForCommands(path, 200);
        // what it had begun has ended by then
        long before = other.Commands;
        await WaitForCommands(path, 200);
        other.Commands.Should().Be(before, "its path is inaccessible");
    }

    private static async Task WaitForCommands(ServedPath path, int count)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        for (long until = path.Commands + count; path.Commands < until;)
            await Task.Delay(5, limit.Token);
    }
}
