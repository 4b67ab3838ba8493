using System.Globalization;
using System.Text;
using FluentAssertions;
using VfioUser.Tests;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A server that ends in the middle of everything.</summary>
public class NvmeKilledServerTests
{
    private const string Disk = NvmeGuest.Disk;
    private const int BlockSize = 4096;
    private const int Records = 30;

    [VmFact]
    public async Task Flushed_blocks_are_in_the_file_when_the_server_is_killed()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-");
        string socketPath = Path.Combine(folder.FullName, "nvme.sock");
        string image = Path.Combine(folder.FullName, "disk.img");
        try
        {
            using SampleProcess server = await SampleProcess.Start("nvme", "serve", socketPath, "--disk", image, "--size", "64M");
            await using VirtualMachine machine = await NvmeGuest.Start(socketPath);
            // the second half of the disk is under load meanwhile
            await machine.Output($"fio --name=load --filename={Disk} --direct=1 --ioengine=libaio --iodepth=32 --rw=randwrite --bs=4k " +
                "--offset=32M --size=32M --time_based --runtime=1h >/dev/null 2>&1 &");

            // conv=fsync: dd ends when the disk has flushed; only then the record is told
            await machine.Begin($"i=0; while echo \"record $i\" | dd of={Disk} bs={BlockSize} seek=$i conv=notrunc,sync,fsync 2>/dev/null; do echo \"flushed $i\"; i=$((i+1)); done");
            await machine.WaitFor($"^flushed {Records}$");
            server.Kill();

            using FileStream file = File.OpenRead(image);
            byte[] block = new byte[BlockSize];
            for (int i = 0; i <= Records; i++)
            {
                file.ReadExactly(block);
                byte[] expected = new byte[BlockSize];
                Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"record {i}\n"), expected);
                block.Should().Equal(expected, "record {0} was flushed", i);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
