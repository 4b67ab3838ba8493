using FluentAssertions;
using VfioUser.Tests;
using VfioUser.Tests.Ceph;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A guest whose disk is an image in a Ceph cluster, served by the sample.</summary>
public sealed class NvmeCephTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    [CephFact]
    public async Task Guest_verifies_what_it_writes_while_an_osd_is_killed_and_comes_back_and_sees_a_resize()
    {
        string socket = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        string image = await CephCluster.CreateImage(128);
        using SampleProcess server = await SampleProcess.Start("nvme", "serve", socket, "--disk", CephCluster.AddressOf(image));
        await using VirtualMachine machine = await NvmeGuest.Start(socket);

        // until both OSDs have been killed and are back, and every block is written and verified then once more
        await machine.Output("rm -f /stop");
        string job = $"fio --name=all --filename={NvmeGuest.Disk} --size=96M --direct=1 --ioengine=libaio --iodepth=16 --thread --rw=randwrite --bs=16k"
            + " --verify=crc32c --verify_fatal=1 --minimal";
        Task<string> verifying = machine.Output($"n=0; until [ -e /stop ]; do {job} >/log 2>&1 || {{ cat /log; break; }}; n=$((n+1)); [ $n -lt 2 ] || touch /stop; done; echo $n rounds verified", Limit);
        for (int osd = 0; osd < 2; osd++)
        {
            await CephCluster.KillOsd(osd);
            await CephCluster.StartOsd(osd);
            await CephCluster.WaitUntilClean();
        }
        (await verifying).Should().Contain("2 rounds verified");

        string before = await machine.Output("cat /sys/block/nvme0n1/size");
        await CephCluster.Resize(image, 256);
        await machine.Output("i=0; until [ $(cat /sys/block/nvme0n1/size) = 524288 ] || [ $i = 3000 ]; do usleep 10000; i=$((i+1)); done", Limit);
        string after = await machine.Output("cat /sys/block/nvme0n1/size");
        string written = await machine.Output($"dd if=/dev/zero of={NvmeGuest.Disk} bs=1M seek=255 count=1 oflag=direct conv=fsync && echo written", Limit);

        before.Trim().Should().Be("262144");
        after.Trim().Should().Be("524288");
        written.Should().Contain("written");
        await machine.PowerOff();
    }

    [CephFact]
    public async Task Server_that_was_killed_has_the_image_no_more()
    {
        string socket = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        string image = await CephCluster.CreateImage(64);
        string[] arguments = ["serve", socket, "--disk", CephCluster.AddressOf(image)];
        SampleProcess first = await SampleProcess.Start("nvme", arguments);
        first.Dispose(); // kill -9

        using SampleProcess second = await SampleProcess.Start("nvme", arguments).WaitAsync(Limit);
        await using VirtualMachine machine = await NvmeGuest.Start(socket);

        (await machine.Output($"dd if=/dev/zero of={NvmeGuest.Disk} bs=1M count=1 oflag=direct conv=fsync && echo written", Limit)).Should().Contain("written");
        await machine.PowerOff();
    }
}
