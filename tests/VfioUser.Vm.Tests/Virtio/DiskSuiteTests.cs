using System.Globalization;
using FluentAssertions;
using VfioUser.Tests;
using VfioUser.Vm.Tests.Harness;
using Xunit.Abstractions;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Linux's own suites for disks and file systems, on the virtio disk of the sample, or on QEMU's own to compare with.</summary>
/// <remarks>For <c>vm/disk-suites</c>, which says where the suites are.</remarks>
public sealed class DiskSuiteTests(ITestOutputHelper output) : IDisposable
{
    private const string Blktests = "VFIO_USER_VM_BLKTESTS";
    private const string Xfstests = "VFIO_USER_VM_XFSTESTS";
    private const string Size = "3G";

    // what the suites call, most of which busybox has in a shorter form
    private static readonly string[] Packages =
    [
        "bash", "coreutils", "findutils", "grep", "sed", "gawk", "diffutils", "util-linux", "mount", "umount", "losetup", "swapon", "swapoff",
        "bsdextrautils", "libc-bin", "hostname", "procps", "psmisc", "e2fsprogs", "xfsprogs", "fio", "attr", "acl", "bc", "perl-base", "dmsetup",
        "pciutils", "kmod", "tar", "ncurses-bin", "libaio1t64", "liburing2", "libacl1", "libgdbm6t64", "libcap2-bin",
    ];

    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));
    private readonly List<SampleProcess> _servers = [];

    private static bool IsOurs => Environment.GetEnvironmentVariable("VFIO_USER_VM_SUITE_DISK") is not "qemu";

    private static TimeSpan Limit => TimeSpan.FromMinutes(double.Parse(Of("VFIO_USER_VM_SUITE_MINUTES", "120"), CultureInfo.InvariantCulture));

    public void Dispose()
    {
        _servers.ForEach(server => server.Dispose());
        _folder.Delete(recursive: true);
    }

    [RequestedFact(Blktests)]
    public Task Blktests_pass_on_the_disk() => RunAsync(Blktests, disks: 1, "block");

    [RequestedFact(Xfstests)]
    public Task Xfstests_pass_on_ext4() => RunAsync(Xfstests, disks: 3, "-g generic/quick");

    private async Task RunAsync(string suite, int disks, string tests)
    {
        string archive = Of(suite, "");
        string list = Path.Combine(_folder.FullName, "suite-tests"); // the console cuts a line of more than 4 KiB
        await File.WriteAllTextAsync(list, Of("VFIO_USER_VM_SUITE_TESTS", tests));
        await using LinuxGuest guest = await StartAsync(archive, list, disks);

        CommandResult result = await guest.RunAsync(
            $"bash /files/disk-suites.sh {Path.GetFileNameWithoutExtension(archive)} {(int)(Limit.TotalSeconds * 0.9)} $(cat /files/{Path.GetFileName(list)})", Limit);
        CommandResult kernel = await guest.RunAsync("dmesg | grep -iE 'I/O error|blocked for more|BUG|WARNING|virtio|aborted' | tail -n 30; true");

        output.WriteLine(result.Output);
        output.WriteLine(kernel.Output);
        result.ExitCode.Should().Be(0);
        await guest.PowerOffAsync();
    }

    private async Task<LinuxGuest> StartAsync(string archive, string list, int disks)
    {
        string[] images = [.. Enumerable.Range(0, disks).Select(disk => Path.Combine(_folder.FullName, $"disk{disk}.img"))];
        List<string> arguments = ["-smp", "2"];
        List<string> sockets = [];
        foreach (string image in images)
        {
            if (IsOurs)
            {
                sockets.Add(Path.ChangeExtension(image, "sock"));
                _servers.Add(await SampleProcess.Start("virtio", "serve", "block", "--socket", sockets[^1], "--disk", image, "--size", Size, "--queues", "2"));
                continue;
            }
            using (FileStream file = File.Create(image))
                file.SetLength(3L << 30);
            string id = Path.GetFileNameWithoutExtension(image);
            arguments.AddRange(["-drive", $"if=none,id={id},file={image},format=raw,discard=unmap", "-device", $"virtio-blk-pci,drive={id},num-queues=2"]);
        }
        LinuxGuest guest = await LinuxGuest.StartAsync(new LinuxGuestOptions
        {
            Sockets = sockets,
            Modules = ["virtio_blk", "ext4", "crc32c_generic", "loop", "dm-flakey", "dm-log-writes", "dm-snapshot", "dm-thin-pool", "dm-zero", "dm-delay", "bfq", "kyber-iosched"],
            Programs = Packages,
            Files = [archive, list, Path.Combine(AppContext.BaseDirectory, "vm", "disk-suites.sh")],
            QemuArguments = arguments,
            MemorySize = 2048,
            CommandTimeout = Limit,
        });
        await guest.OutputAsync($"until [ -b /dev/vd{(char)('a' + disks - 1)} ]; do usleep 10000; done");
        return guest;
    }

    private static string Of(string variable, string otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : otherwise;
}
