using VfioUser.Disks;
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
