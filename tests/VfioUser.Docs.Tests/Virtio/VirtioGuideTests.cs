using System.Net.NetworkInformation;
using VfioUser.Disks;
using VfioUser.Network;
using VfioUser.Testing;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

/// <summary>The snippets of docs/virtio.md and the package's README.</summary>
public sealed class VirtioGuideTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Text_comes_back_in_capitals()
    {
        using TestGuest guest = TestGuest.Attach(new Shout());
        VirtioDriver driver = VirtioDriver.Start(guest);

        byte[] answer = driver.Queues[0].Request("hello"u8, answerLength: 16);

        answer.Should().Equal("HELLO"u8.ToArray());
        driver.Interrupts[0].WaitFor(1); // the configuration has changed
        driver.ReadConfig<ShoutConfig>().Requests.Should().Be(1);
    }

    [Fact]
    public void Device_is_served()
    {
        string[] args = [Path.Combine(_folder.FullName, "rng.sock")];
        Thread serving = new(() => Serve(args)) { IsBackground = true }; // until the tests' process ends, as a program does
        serving.Start();

        SpinWait.SpinUntil(() => File.Exists(args[0]), TimeSpan.FromSeconds(60)).Should().BeTrue();
        using VfioUser.Client.VfioUserClient client = VfioUser.Client.VfioUserClient.Connect(args[0]);
        Span<byte> id = stackalloc byte[4];
        client.ReadRegion((uint)RegionIndex.Config, 0, id);

        id.ToArray().Should().Equal(0xF4, 0x1A, 0x44, 0x10);
    }

    [Fact]
    public void Disk_is_served()
    {
        string[] args = [Path.Combine(_folder.FullName, "disk.sock"), Path.Combine(_folder.FullName, "disk.img")];
        Thread serving = new(() => ServeDisk(args)) { IsBackground = true };
        serving.Start();

        SpinWait.SpinUntil(() => File.Exists(args[0]), TimeSpan.FromSeconds(60)).Should().BeTrue();
        using VfioUser.Client.VfioUserClient client = VfioUser.Client.VfioUserClient.Connect(args[0]);
        Span<byte> id = stackalloc byte[4];
        client.ReadRegion((uint)RegionIndex.Config, 0, id);

        id.ToArray().Should().Equal(0xF4, 0x1A, 0x42, 0x10);
    }

    [Fact]
    public void Cards_are_joined()
    {
        NetworkSwitch middle = new();
        using VirtioNet first = new(new VirtioNetOptions { Address = PhysicalAddress.Parse("52-54-00-12-01-00") });
        using VirtioNet second = new(new VirtioNetOptions { QueuePairs = 4, Mtu = 9000 });
        first.Plug(middle.Connect(first));
        second.Plug(middle.Connect(second));

        using TestGuest guest = TestGuest.Attach(first);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Queues[1].Request([.. new byte[12], 2, 0, 0, 0, 0, 1, .. first.Address.GetAddressBytes(), .. new byte[50]], answerLength: 0);

        middle.Find(first.Address).Should().NotBeNull("it has sent");
    }

    private static void ServeDisk(string[] args)
    {
        using FileDisk disk = FileDisk.Open(args[1], size: 10L << 30);
        using VirtioBlock device = new(disk, new VirtioBlockOptions { SerialNumber = "data-1" });
        using VfioUserServer server = VfioUserServer.Bind(args[0]);
        Console.WriteLine(server.QemuArguments);
        server.Run(device);
    }

    private static void Serve(string[] args)
    {
        using VirtioEntropy device = new();
        using VfioUserServer server = VfioUserServer.Bind(args[0]);
        Console.WriteLine(server.QemuArguments);
        server.Run(device);
    }
}
