using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Two controllers in one guest that names a host to each: <c>nvme resv-*</c>, and who may write then.</summary>
public class NvmeReservationTests
{
    private const string Done = "exit 0";

    [VmFact]
    public async Task One_host_fences_the_other_off_by_nvme_cli()
    {
        using MemoryDisk disk = new(16 << 20);
        using NvmeSubsystem subsystem = new([disk]);
        await using ServedPath first = new(subsystem), second = new(subsystem);
        await using VirtualMachine machine = await NvmeGuest.Start(first.SocketPath, second.SocketPath);
        await machine.WaitForSharedDisk();
        // each ends with how nvme ended
        Task<string> Nvme(string arguments) => machine.Output($"nvme {arguments} 2>&1; echo \"exit $?\"");
        // 16 bytes: of one letter, or of another
        await machine.Output("until [ -c /dev/nvme1 ]; do usleep 10000; done; printf 1111111111111111 >/tmp/1; printf 2222222222222222 >/tmp/2; dd if=/dev/zero of=/tmp/block bs=512 count=1");
        Task<string> Write(int controller) => Nvme($"io-passthru /dev/nvme{controller} --opcode=1 --namespace-id=1 --cdw10=64 --data-len=512 -w --input-file=/tmp/block");

        string unnamed = await Nvme("resv-register /dev/nvme0 -n 1 --nrkey=0xa --rrega=0");
        string[] prepared =
        [
            await Nvme("set-feature /dev/nvme0 -f 0x81 --value=1 -l 16 -d /tmp/1"), await Nvme("set-feature /dev/nvme1 -f 0x81 --value=1 -l 16 -d /tmp/2"),
            await Nvme("resv-register /dev/nvme0 -n 1 --nrkey=0xa --rrega=0"), await Nvme("resv-register /dev/nvme1 -n 1 --nrkey=0xb --rrega=0"),
            await Nvme("resv-acquire /dev/nvme0 -n 1 --crkey=0xa --rtype=1 --racqa=0"),
        ];
        string[] held = [await Write(0), await Write(1)];
        string preempted = await Nvme("resv-acquire /dev/nvme1 -n 1 --crkey=0xb --prkey=0xa --rtype=1 --racqa=2");
        string[] taken = [await Write(0), await Write(1)];
        string report = await Nvme("resv-report /dev/nvme1 -n 1 --eds");
        string notice = await Nvme("resv-notif-log /dev/nvme0");
        string released = await Nvme("resv-release /dev/nvme1 -n 1 --crkey=0xb --rtype=1 --rrela=0");
        string free = await Write(0);

        string all = string.Join('\n', [unnamed, .. prepared, .. held, preempted, .. taken, report, notice, released, free]);
        unnamed.ToLowerInvariant().Should().Contain("host identifier", all).And.NotEndWith(Done);
        string[] done = [.. prepared, held[0], preempted, taken[1], report, notice, released, free];
        done.Should().AllSatisfy(output => output.Should().EndWith(Done, all));
        new[] { held[1], taken[0] }.Should().AllSatisfy(output => output.Should().ContainEquivalentOf("conflict", all).And.NotEndWith(Done));
        report.Should().MatchRegex(@"rtype\s*:\s*1", all).And.MatchRegex(@"rkey\s*:\s*(0x)?b\b", all).And.NotMatchRegex(@"rkey\s*:\s*(0x)?a\b", all);
        notice.Should().ContainEquivalentOf("preempted", all);
        first.Failures.Concat(second.Failures).Should().BeEmpty();
        await machine.PowerOff();
    }
}
