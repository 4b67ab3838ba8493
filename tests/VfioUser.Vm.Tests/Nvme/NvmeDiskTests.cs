using System.Diagnostics;
using FluentAssertions;
using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Disks that change under Linux: their size, and the server behind them.</summary>
public sealed class NvmeDiskTests : IDisposable
{
    // not on a tmpfs, which not every kernel can open with O_DIRECT
    private readonly DirectoryInfo _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, Path.GetRandomFileName()));

    private string ImagePath => Path.Combine(_folder.FullName, "disk.img");

    public void Dispose() => _folder.Delete(recursive: true);

    [VmFact]
    public async Task Disk_past_the_page_cache_grows_under_the_guest()
    {
        FileDisk disk = FileDisk.Open(ImagePath, new FileDiskOptions { Size = 64 << 20, Cache = FileCacheMode.None });
        await using var served = new ServedDisk(disk, new NvmeControllerOptions { BlockSize = 4096 });
        await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);
        string before = await machine.Output("cat /sys/block/nvme0n1/size");

        Grow(96 << 20);
        disk.UpdateSize();
        await machine.Output("i=0; until [ $(cat /sys/block/nvme0n1/size) = 196608 ] || [ $i = 1000 ]; do usleep 10000; i=$((i+1)); done");
        string after = await machine.Output("cat /sys/block/nvme0n1/size");
        string written = await machine.Output($"dd if=/dev/zero of={NvmeGuest.Disk} bs=1M seek=95 count=1 oflag=direct conv=fsync && echo written");

        before.Trim().Should().Be("131072");
        after.Trim().Should().Be("196608");
        written.Should().Contain("written");
        served.Failures.Should().BeEmpty();
        await machine.PowerOff();
    }

    [VmFact]
    public async Task Guest_verifies_what_it_writes_while_its_nbd_server_is_killed_and_started_again()
    {
        string socket = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await File.WriteAllBytesAsync(ImagePath, new byte[64 << 20]);
        Process server = StartServer(socket);
        try
        {
            await using var served = new ServedDisk(await ConnectAsync(server, $"nbd+unix:///disk?socket={socket}"));
            await using VirtualMachine machine = await NvmeGuest.Start(served.SocketPath);

            Task<string> verifying = machine.Output($"fio --name=all --filename={NvmeGuest.Disk} --size=48M --direct=1 --ioengine=libaio --iodepth=16 --thread --rw=randwrite --bs=16k --verify=crc32c --verify_fatal=1 --minimal && echo verified", TimeSpan.FromMinutes(3));
            for (int i = 0; i < 5 && !verifying.IsCompleted; i++)
            {
                await Task.WhenAny(verifying, Task.Delay(300));
                Kill(server);
                server = StartServer(socket);
            }

            (await verifying).Should().Contain("verified");
            served.Failures.Should().BeEmpty();
            await machine.PowerOff();
        }
        finally
        {
            Kill(server);
            File.Delete(socket);
        }
    }

    // by another process, for in this one .NET would see the disk's lock
    private void Grow(long size)
    {
        using Process truncate = Process.Start("truncate", ["-s", size.ToString(System.Globalization.CultureInfo.InvariantCulture), ImagePath]);
        truncate.WaitForExit();
        truncate.ExitCode.Should().Be(0);
    }

    private Process StartServer(string socket)
    {
        File.Delete(socket);
        return Process.Start("qemu-nbd", ["-k", socket, "-f", "raw", "-t", "-x", "disk", ImagePath]);
    }

    private static void Kill(Process server)
    {
        server.Kill();
        server.WaitForExit();
        server.Dispose();
    }

    private static async Task<NbdDisk> ConnectAsync(Process server, string address)
    {
        while (true)
        {
            try
            {
                return await NbdDisk.ConnectAsync(address);
            }
            catch (IOException) when (!server.HasExited)
            {
                await Task.Yield();
            }
        }
    }
}
