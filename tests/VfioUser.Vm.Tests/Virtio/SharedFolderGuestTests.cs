using System.Security.Cryptography;
using System.Text;
using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A shared folder under Linux's 9p.</summary>
public sealed class SharedFolderGuestTests : IDisposable
{
    private static readonly Initramfs Guest = new(modules: ["9pnet_virtio", "9p"], programs: []);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("shared-");

    public void Dispose() => _folder.Delete(recursive: true);

    [VmFact]
    public async Task Tree_is_copied_both_ways()
    {
        byte[] large = RandomNumberGenerator.GetBytes(5_000_000);
        MakeTree(Path.Combine(_folder.FullName, "in"), large);
        using VirtioSharedFolder device = new(_folder.FullName, new() { Tag = "tree" });
        await using ServedDevice served = new(device);
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { Guest = Guest, SocketPaths = [served.SocketPath] });

        await machine.Output("mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 tree /mnt");
        string sums = await machine.Output(
            "cp -a /mnt/in /tmp/copy && cd /mnt/in && find . -type f | sort | xargs sha256sum >/tmp/1 && cd /tmp/copy && find . -type f | sort | xargs sha256sum >/tmp/2"
            + " && cmp /tmp/1 /tmp/2 && wc -l </tmp/2 && readlink /tmp/copy/link && find . -type d | wc -l");
        sums.Should().Be("302\n../in/0/0.txt\n11");
        await machine.Output("cp -a /tmp/copy /mnt/out && sync");
        ShouldBeEqual(Path.Combine(_folder.FullName, "in"), Path.Combine(_folder.FullName, "out"));

        await machine.Output(
            "cd /mnt/out && echo more >>0/0.txt && mv 1 renamed && rm -r 2 && ln 0/1.txt hard && chmod 600 hard && touch -d '2001-01-01 00:00:00' 0/2.txt"
            + " && truncate -s 1000 large && mkfifo pipe && (echo through >pipe &) && cat pipe && stat -c %s large && df /mnt >/dev/null");
        string changed = Path.Combine(_folder.FullName, "out");
        (await File.ReadAllTextAsync(Path.Combine(changed, "0/0.txt"))).Should().EndWith("more\n");
        Directory.Exists(Path.Combine(changed, "renamed")).Should().BeTrue();
        Directory.Exists(Path.Combine(changed, "2")).Should().BeFalse();
        new FileInfo(Path.Combine(changed, "0/1.txt")).UnixFileMode.Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.GetLastWriteTimeUtc(Path.Combine(changed, "0/2.txt")).Should().Be(new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        (await File.ReadAllBytesAsync(Path.Combine(changed, "large"))).AsSpan().SequenceEqual(large.AsSpan(0, 1000)).Should().BeTrue();

        // a link to a file of the host is one to a file of the guest there
        File.CreateSymbolicLink(Path.Combine(_folder.FullName, "host"), "/proc/sys/kernel/random/boot_id");
        (await machine.Output("cat /mnt/host")).Should().Be((await machine.Output("cat /proc/sys/kernel/random/boot_id")))
            .And.NotBe((await File.ReadAllTextAsync("/proc/sys/kernel/random/boot_id")).Trim());
        await machine.Output("umount /mnt");
        device.Files.Should().Be(0);
        await machine.PowerOff();
    }

    private static void MakeTree(string root, byte[] large)
    {
        for (int folder = 0; folder < 10; folder++)
        {
            string path = Directory.CreateDirectory(Path.Combine(root, $"{folder}")).FullName;
            for (int file = 0; file < 30; file++)
                File.WriteAllText(Path.Combine(path, $"{file}.txt"), new StringBuilder().Insert(0, $"file {file} of folder {folder}\n", file * file).ToString());
        }
        File.WriteAllBytes(Path.Combine(root, "large"), large);
        File.WriteAllBytes(Path.Combine(root, "empty"), []);
        File.CreateSymbolicLink(Path.Combine(root, "link"), "../in/0/0.txt");
    }

    private static void ShouldBeEqual(string one, string other)
    {
        string[] files = [.. Directory.EnumerateFiles(one, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(one, path))];
        Directory.EnumerateFiles(other, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(other, path)).Should().BeEquivalentTo(files);
        foreach (string file in files)
            File.ReadAllBytes(Path.Combine(other, file)).AsSpan().SequenceEqual(File.ReadAllBytes(Path.Combine(one, file))).Should().BeTrue();
    }
}
