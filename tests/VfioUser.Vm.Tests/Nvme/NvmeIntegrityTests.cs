using System.Globalization;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;
using Xunit.Abstractions;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A guest that verifies what it writes for minutes, while the controller is reset, the driver unbound, or processors go.</summary>
public sealed class NvmeIntegrityTests(ITestOutputHelper output) : IDisposable
{
    private const string Disk = NvmeGuest.Disk;
    private const string Fio = "fio --direct=1 --ioengine=libaio --thread --verify=crc32c --verify_fatal=1 --verify_backlog=256 --minimal";

    private const string Requested = "VFIO_USER_VM_INTEGRITY"; // by vm/integrity, and for how many minutes each

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));

    /// <summary>For how long each part runs; null for not at all.</summary>
    public static double? Minutes => Environment.GetEnvironmentVariable(Requested) is { Length: > 0 } minutes
        ? double.Parse(minutes, CultureInfo.InvariantCulture) : null;

    private static int Seconds => (int)(60 * Minutes!.Value);

    private static TimeSpan Limit => TimeSpan.FromMinutes(10 + 4 * Minutes!.Value);

    public void Dispose() => _folder.Delete(recursive: true);

    [RequestedFact(Requested)]
    public Task Blocks_of_512_bytes_hold_mixed_writes_zeroes_and_trims() => MixedAsync(512);

    [RequestedFact(Requested)]
    public Task Blocks_of_4096_bytes_hold_mixed_writes_zeroes_and_trims() => MixedAsync(4096);

    [RequestedFact(Requested)]
    public Task Ext4_holds_while_the_controller_is_reset_every_two_seconds() =>
        FileSystemAsync("mkfs.ext4 -q -F DISK", "ext4", "umount /mnt && fsck.ext4 -fn DISK");

    [RequestedFact(Requested)]
    public Task Xfs_holds_while_the_controller_is_reset_every_two_seconds() =>
        FileSystemAsync("mkfs.xfs -q -f DISK", "xfs", "umount /mnt && xfs_repair -n DISK");

    [RequestedFact(Requested)]
    public Task Btrfs_holds_while_the_controller_is_reset_every_two_seconds() =>
        FileSystemAsync("mkfs.btrfs -q -f DISK", "btrfs", "btrfs scrub start -B /mnt && umount /mnt && btrfs check DISK");

    [RequestedFact(Requested)]
    public Task Encrypted_ext4_holds_while_the_controller_is_reset_every_two_seconds() =>
        FileSystemAsync("head -c 64 /dev/urandom >/key && cryptsetup open --type plain --cipher aes-xts-plain64 --key-size 512 --key-file /key --allow-discards " +
            "/dev/nvme0n1 crypt && mkfs.ext4 -q -F DISK", "ext4", "umount /mnt && fsck.ext4 -fn DISK && cryptsetup close crypt", "/dev/mapper/crypt");

    [RequestedFact(Requested)]
    public async Task Data_outlasts_an_unbound_driver_under_load()
    {
        await using ServedDisk served = NewDisk(512);
        await using LinuxGuest guest = await StartAsync(served);
        await guest.OutputAsync($"{Fio} --name=kept --filename={Disk} --size=32M --rw=randwrite --bsrange=4k-64k --do_verify=0", Limit);

        string rounds = await guest.OutputAsync(
            $"pci=$(basename $(readlink -f /sys/class/nvme/nvme0/device)); driver=/sys/bus/pci/drivers/nvme; n=0; end=$(($(date +%s)+{Seconds})); " +
            "while [ $(date +%s) -lt $end ]; do " +
            $"fio --name=load --filename={Disk} --offset=64M --size=64M --direct=1 --ioengine=libaio --iodepth=32 --thread --rw=randwrite --bs=4k --time_based --runtime=60 >/dev/null 2>&1 & load=$!; " +
            $"sleep 1; echo $pci >$driver/unbind || exit 1; wait $load; echo $pci >$driver/bind || exit 2; until [ -b {Disk} ]; do usleep 10000; done; n=$((n+1)); done; echo $n", Limit);
        string kept = await guest.OutputAsync($"{Fio} --name=kept --filename={Disk} --size=32M --rw=randwrite --bsrange=4k-64k --verify_only", Limit);

        output.WriteLine($"unbound {rounds.Trim()} times");
        int.Parse(rounds.Trim(), CultureInfo.InvariantCulture).Should().BePositive();
        ErrorsOf(kept).Should().Be("0");
        await EndAsync(guest, served);
    }

    [RequestedFact(Requested)]
    public async Task Data_is_right_while_processors_come_and_go()
    {
        await using ServedDisk served = NewDisk(512);
        await using LinuxGuest guest = await StartAsync(served, processors: 4);

        string result = await guest.OutputAsync(
            $"(end=$(($(date +%s)+{Seconds})); until [ $(date +%s) -ge $end ]; do {Fio} --name=all --filename={Disk} --size=24M --numjobs=4 --offset_increment=24M --group_reporting --iodepth=16 --rw=randwrite --bsrange=4k-64k || exit 1; done) >/tmp/fio & fio=$!; " +
            "n=0; while kill -0 $fio 2>/dev/null; do cpu=$((1 + n % 3)); " +
            "echo 0 >/sys/devices/system/cpu/cpu$cpu/online || exit 3; sleep 1; echo 1 >/sys/devices/system/cpu/cpu$cpu/online || exit 4; n=$((n+1)); done; " +
            "wait $fio || { cat /tmp/fio; exit 2; }; echo $n; cat /tmp/fio", Limit);

        string[] lines = LinesOf(result);
        output.WriteLine($"processors went {lines[0]} times, {lines.Length - 1} runs of fio");
        lines[1..].Should().OnlyContain(line => ErrorsOf(line) == "0");
        await EndAsync(guest, served);
    }

    private async Task MixedAsync(int blockSize)
    {
        await using ServedDisk served = NewDisk(blockSize);
        await using LinuxGuest guest = await StartAsync(served);
        int smallest = blockSize;

        // the model has the first 24 MiB, fio the rest, both at once
        string result = await guest.OutputAsync(
            $"python3 /files/disk-model.py {Disk} {Seconds} {blockSize} >/tmp/model 2>&1 & model=$!; " +
            $"end=$(($(date +%s)+{Seconds})); n=0; while [ $(date +%s) -lt $end ]; do " +
            $"{Fio} --name=all --filename={Disk} --offset=32M --size=96M --io_size=48M --iodepth=16 --rw=randrw --rwmixread=30 --bsrange={smallest}-128k --bs_unaligned=0 || exit 1; " +
            $"{Fio} --name=trim --filename={Disk} --offset=128M --size=48M --iodepth=8 --rw=randtrimwrite --bs=16k --trim_verify_zero=1 || exit 3; n=$((n+1)); done >/tmp/fio; " +
            "wait $model || { cat /tmp/model; exit 2; }; cat /tmp/model; echo $n; cat /tmp/fio", Limit);

        string[] lines = LinesOf(result);
        output.WriteLine($"{lines[0]}; {lines[1]} rounds of fio; {served.Statistics.BytesWritten >> 20} MiB written");
        lines[0].Should().StartWith($"model agrees, blocks of {blockSize}");
        lines[2..].Should().OnlyContain(line => ErrorsOf(line) == "0");
        await EndAsync(guest, served);
    }

    private async Task FileSystemAsync(string make, string type, string check, string device = Disk)
    {
        await using ServedDisk served = NewDisk(512);
        await using LinuxGuest guest = await StartAsync(served);
        await guest.OutputAsync($"{make.Replace("DISK", device, StringComparison.Ordinal)} && mount -t {type} -o discard {device} /mnt", Limit);

        string result = await guest.OutputAsync(
            $"(end=$(($(date +%s)+{Seconds})); until [ $(date +%s) -ge $end ]; do rm -rf /mnt/copy && {Fio} --name=file --directory=/mnt --size=24M --numjobs=2 --group_reporting --iodepth=8 --rw=randwrite --bsrange=4k-64k --fsync=64 || exit 1; " +
            "rm /mnt/file*; cp -a /lib /mnt/copy && sync && (cd /lib && find . -type f -exec md5sum {} +) >/tmp/sums && (cd /mnt/copy && md5sum -c -s /tmp/sums) || exit 2; done) >/tmp/fio 2>&1 & fio=$!; " +
            "n=0; while kill -0 $fio 2>/dev/null; do nvme reset /dev/nvme0 || exit 3; n=$((n+1)); sleep 2; done; wait $fio || { cat /tmp/fio; exit 4; }; echo $n; cat /tmp/fio", Limit);
        string checkedAs = await guest.OutputAsync($"{{ {check.Replace("DISK", device, StringComparison.Ordinal)} ; }} 2>&1", Limit);

        string[] lines = LinesOf(result);
        output.WriteLine($"{lines[0]} resets, {lines.Length - 1} runs of fio, {served.Statistics.BytesWritten >> 20} MiB written");
        output.WriteLine(checkedAs);
        lines[1..].Should().OnlyContain(line => ErrorsOf(line) == "0");
        await EndAsync(guest, served);
    }

    // a file past the page cache: more of the system than a disk in memory
    private ServedDisk NewDisk(int blockSize) => new(
        FileDisk.Open(Path.Combine(_folder.FullName, "disk.img"), new FileDiskOptions { Size = 512 << 20, Cache = FileCacheMode.None }),
        new NvmeControllerOptions { BlockSize = blockSize });

    private static async Task<LinuxGuest> StartAsync(ServedDisk served, int processors = 2)
    {
        LinuxGuest guest = await LinuxGuest.StartAsync(served.SocketPath, new LinuxGuestOptions
        {
            Modules = ["nvme", "ext4", "xfs", "btrfs", "dm-crypt", "xts", "crc32c_generic"],
            Programs = ["nvme", "fio", "mkfs.ext4", "fsck.ext4", "blkdiscard", "python3", "xfsprogs", "btrfs-progs", "cryptsetup-bin"],
            Files = [Path.Combine(AppContext.BaseDirectory, "vm", "disk-model.py")],
            QemuArguments = ["-smp", processors.ToString(CultureInfo.InvariantCulture)],
            MemorySize = 768,
            CommandTimeout = Limit,
        });
        await guest.OutputAsync($"until [ -b {Disk} ]; do usleep 10000; done");
        return guest;
    }

    private static async Task EndAsync(LinuxGuest guest, ServedDisk served)
    {
        (await guest.OutputAsync("dmesg")).Should().NotContain("I/O error").And.NotContain("timeout, ");
        served.Failures.Should().BeEmpty();
        await guest.PowerOffAsync();
    }

    // without what fio warns of: jobs have parts of their own
    private static string[] LinesOf(string result) =>
        [.. result.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("fio: multiple writers", StringComparison.Ordinal))];

    // fio's terse format, version 3
    private static string ErrorsOf(string result) => result.Split(';') is { Length: > 5 } fields ? fields[4] : result;
}
