using System.Globalization;
using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>What nvme-cli and the block layer ask of a controller, under Linux's own driver.</summary>
public class NvmeCommandTests(NvmeMachine shared) : IClassFixture<NvmeMachine>
{
    private const string Disk = NvmeGuest.Disk;
    private const int MiB = 1 << 20;

    [VmFact]
    public async Task Nvme_cli_reads_all_that_the_controller_tells()
    {
        VirtualMachine machine = await shared.Start();

        string list = await machine.Output("nvme list");
        string controller = await machine.Output("nvme id-ctrl /dev/nvme0");
        string disk = await machine.Output($"nvme id-ns {Disk}");
        string health = await machine.Output("nvme smart-log /dev/nvme0");

        list.Should().MatchRegex($@"{Disk}\s.*VU[0-9A-F]{{16}}\s+VfioUser NVMe\s+0x1\s+67.11\s+MB /\s+67.11\s+MB\s+512\s+B \+\s+0 B");
        controller.Should().MatchRegex(@"sn +: VU[0-9A-F]{16}").And.MatchRegex(@"ver +: 0x10400").And.MatchRegex(@"nn +: 16\n");
        disk.Should().Contain($"nsze    : 0x{DiskBlocks:x}").And.MatchRegex(@"lbaf  0 : ms:0   lbads:9 .*\(in use\)");
        health.Should().MatchRegex(@"critical_warning\s+: 0\n").And.MatchRegex(@"media_errors\s+: 0\n");
    }

    [VmFact]
    public async Task A_refused_command_stands_in_the_error_log()
    {
        VirtualMachine machine = await shared.Start();
        // LBA Out of Range, 0x80; Linux asks only for blocks that there are
        string read = $"nvme read {Disk} -s {DiskBlocks} -c 0 -z 512";

        CommandResult refused = await machine.Run($"{read} >/dev/null");
        string log = await machine.Output("nvme error-log /dev/nvme0 -e 1");

        refused.ExitCode.Should().NotBe(0);
        refused.Output.Should().Contain("LBA Out of Range");
        log.Should().MatchRegex(@"lba\s+: 0x" + DiskBlocks.ToString("x", CultureInfo.InvariantCulture));
    }

    [VmFact]
    public async Task Unreadable_block_fails_a_self_test_until_it_is_written()
    {
        VirtualMachine machine = await shared.Start();
        const string Wait = "i=0; while nvme self-test-log /dev/nvme0 | grep -Eq 'Current operation *: 0x[12]' && [ $i -lt 1000 ]; do usleep 10000; i=$((i+1)); done";

        await machine.Output($"nvme write-uncor {Disk} -s 40000 -c 0");
        CommandResult read = await machine.Run($"dd if={Disk} of=/dev/null bs=512 skip=40000 count=1 iflag=direct");
        await machine.Output("nvme device-self-test /dev/nvme0 -n 0xffffffff -s 2");
        string failed = await machine.Output($"{Wait}; nvme self-test-log /dev/nvme0");
        await machine.Output($"dd if=/dev/zero of={Disk} bs=512 seek=40000 count=1 oflag=direct 2>/dev/null");
        await machine.Output("nvme device-self-test /dev/nvme0 -n 0xffffffff -s 1");
        string passed = await machine.Output($"{Wait}; nvme self-test-log /dev/nvme0");

        read.ExitCode.Should().NotBe(0);
        failed.Should().MatchRegex(@"(?s)Result\[0\].*?Operation Result *: 0x7.*?Failing LBA *: (0x9c40|40000)\b");
        passed.Should().MatchRegex(@"(?s)Result\[0\].*?Operation Result *: 0(x0)?\b");
    }

    [VmFact]
    public async Task Persistent_events_have_a_reset_and_a_format()
    {
        VirtualMachine machine = await shared.Start();
        await machine.Output($"nvme format {Disk} --force");

        string log = await machine.Output("nvme persistent-event-log /dev/nvme0 -a 1 && nvme persistent-event-log /dev/nvme0 -a 0 && nvme persistent-event-log /dev/nvme0 -a 2 >/dev/null");

        log.Should().Contain("Power-on or Reset Event").And.Contain("Format NVM Completion Event").And.Contain("SMART/Health Log Snapshot Event");
    }

    [VmFact]
    public async Task Fio_finds_what_it_wrote_with_4_jobs_of_depth_32()
    {
        VirtualMachine machine = await shared.Start();
        long writtenBefore = shared.Served.Statistics.BytesWritten;

        // verify_backlog: what was written is read while more is written
        string result = await machine.Output(Fio($"--rw=randwrite --size={4 * MiB} --verify_backlog=64"));

        ErrorsOf(result).Should().Be("0");
        (shared.Served.Statistics.BytesWritten - writtenBefore).Should().BeGreaterThanOrEqualTo(4 * 4 * MiB);
    }

    [VmFact]
    public async Task Discarded_blocks_read_as_zeros()
    {
        VirtualMachine machine = await shared.Start();
        await machine.Output($"dd if=/dev/urandom of={Disk} bs=1M count=4 oflag=direct 2>/dev/null");
        string kept = await machine.Output($"dd if={Disk} bs=1M skip=2 count=2 iflag=direct 2>/dev/null | md5sum");

        await machine.Output($"blkdiscard -o 0 -l {2 * MiB} {Disk}");

        await machine.Output($"dd if={Disk} bs=1M count=2 iflag=direct 2>/dev/null | cmp -n {2 * MiB} - /dev/zero");
        (await machine.Output($"dd if={Disk} bs=1M skip=2 count=2 iflag=direct 2>/dev/null | md5sum")).Should().Be(kept);
    }

    [VmFact]
    public async Task Format_makes_all_of_it_zeros()
    {
        VirtualMachine machine = await shared.Start();
        await machine.Output($"dd if=/dev/urandom of={Disk} bs=1M count=4 seek=30 oflag=direct 2>/dev/null");

        await machine.Output($"nvme format {Disk} --force");

        await machine.Output($"cmp -n {NvmeMachine.DiskSize} {Disk} /dev/zero");
    }

    [VmFact]
    public async Task Resets_under_load_lose_nothing()
    {
        VirtualMachine machine = await shared.Start();

        // as long as fio runs, and five times at least
        string result = await machine.Output(
            $"{Fio($"--rw=randwrite --size={4 * MiB} --loops=2 --verify_backlog=64")} >/tmp/fio & fio=$!; n=0; " +
            "while [ $n -lt 5 ] || kill -0 $fio 2>/dev/null; do nvme reset /dev/nvme0 || exit 1; n=$((n+1)); done; " +
            "wait $fio || exit 2; cat /tmp/fio");

        ErrorsOf(result).Should().Be("0");
        shared.Served.Failures.Should().BeEmpty();
    }

    [VmFact]
    public async Task Controller_comes_back_after_it_was_removed()
    {
        VirtualMachine machine = await shared.Start();
        await machine.Output($"dd if=/dev/urandom of={Disk} bs=1M count=4 oflag=direct 2>/dev/null");
        const string Sum = $"dd if={Disk} bs=1M count=4 iflag=direct 2>/dev/null | md5sum";
        string before = await machine.Output(Sum);

        string left = await machine.Output("echo 1 >$(readlink -f /sys/class/nvme/nvme0/device)/remove; ls /sys/class/nvme; ls /dev/nvme* 2>/dev/null; true");
        await machine.Output("echo 1 >/sys/bus/pci/rescan");
        await machine.WaitForDisk();

        left.Should().BeEmpty();
        (await machine.Output(Sum)).Should().Be(before);
    }

    private static long DiskBlocks => NvmeMachine.DiskSize / 512;

    private static string Fio(string arguments) =>
        $"fio --name=job --filename={Disk} --direct=1 --ioengine=libaio --iodepth=32 --numjobs=4 --bs=4k --offset_increment={8 * MiB} " +
        $"--verify=crc32c --verify_fatal=1 --group_reporting --minimal {arguments}";

    // the fifth field of the terse format; the lines before are remarks
    private static string ErrorsOf(string result) => result.Split('\n').Single(line => line.StartsWith("3;", StringComparison.Ordinal)).Split(';')[4];
}
