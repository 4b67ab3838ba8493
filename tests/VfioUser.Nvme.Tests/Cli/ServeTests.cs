using Nvme.Cli;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;
using VfioUser.Tests;

namespace VfioUser.Nvme.Tests.Cli;

public class ServeTests
{
    [Fact]
    public async Task Disk_in_memory_that_cannot_be_is_refused_in_words()
    {
        string socket = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

        int result = await Serve.Run(new ServeOptions([socket], [], MemoryDisk.MaxSize + 4096, FileCacheMode.Writeback, ReadOnly: false, Incoming: false, TrustClientMemory: false, Reservations: null, View: false, new NvmeControllerOptions()));

        result.Should().Be(1);
        File.Exists(socket).Should().BeFalse();
    }

    [Fact]
    public async Task Sockets_are_controllers_of_one_subsystem_and_reservations_are_kept()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nvme-");
        string[] sockets = [Path.Combine(folder.FullName, "a"), Path.Combine(folder.FullName, "b")];
        string[] arguments = ["serve", .. sockets, "--disk", Path.Combine(folder.FullName, "disk.img"), "--size", "1M", "--reservations", Path.Combine(folder.FullName, "kept")];
        using (SampleProcess server = await SampleProcess.Start("nvme", arguments))
        {
            using TestGuest first = TestGuest.Connect(sockets[0]), second = TestGuest.Connect(sockets[1]);
            DriverQueue[] queues = [Start(first), Start(second)];
            byte[] data = Machine.Pattern(512);
            Iova page = second.Memory.Allocate(4096);

            NvmeDriver.Expect(queues[0].Execute(NewCommand.Io(IoOpcode.Write, 3, 1, first.Place(data))));
            NvmeDriver.Expect(queues[1].Execute(NewCommand.Io(IoOpcode.Read, 3, 1, page)));
            Iova keys = first.Place([.. new byte[8], 7, .. new byte[7]]);
            NvmeDriver.Expect(queues[0].Execute(NewCommand.Io(IoOpcode.ReservationRegister, 0, 1, keys) with { Dword10 = 3u << 30, Dword12 = 0 }));

            second.Memory.ReadBytes(page, 512).Should().Equal(data);
        }

        using (SampleProcess again = await SampleProcess.Start("nvme", arguments))
        {
            using TestGuest guest = TestGuest.Connect(sockets[1]);
            Iova report = guest.Memory.Allocate(4096);
            NvmeDriver.Expect(Start(guest).Execute(ReservationGuest.ReportInto(report, 4096)));
            guest.Memory.ReadBytes(report, 128)[72].Should().Be(7, "the key is there");
        }
        folder.Delete(recursive: true);
    }

    // a queue of a driver that has said whose controller it is
    private static DriverQueue Start(TestGuest guest)
    {
        NvmeDriver driver = new(guest);
        driver.Enable();
        Iova host = guest.Place([(byte)9, .. new byte[15]]);
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, 0, host, 0x81, 1)));
        return driver.CreateQueue(1);
    }
}
