using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Disks;
using VfioUser.Nvme;

namespace VfioUser.Docs.Tests.Nvme;

/// <summary>The snippets of docs/nvme.md, docs/disks.md and the package's README.</summary>
public sealed class NvmeGuideTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Disk_in_a_file_is_served()
    {
        string[] args = [Path.Combine(_folder.FullName, "nvme.sock"), Path.Combine(_folder.FullName, "disk.img")];
        Thread serving = new(() => Serve(args)) { IsBackground = true }; // until the tests' process ends, as a program does
        serving.Start();
        SpinWait.SpinUntil(() => Listens(args[0]), TimeSpan.FromSeconds(60)).Should().BeTrue();

        using VfioUserClient client = VfioUserClient.Connect(args[0]);
        Span<byte> version = stackalloc byte[4];
        client.ReadRegion(region: 0, offset: 8, version);

        version.ToArray().Should().Equal(0, 4, 1, 0);
        new FileInfo(args[1]).Length.Should().Be(10L << 30);
    }

    [Fact]
    public async Task Namespaces_come_and_go()
    {
        using MemoryDisk disk = new(1 << 20);
        using NvmeController controller = new(Array.Empty<Disk>());

        uint id = controller.AddNamespace(new NvmeNamespace(disk));
        int count = controller.Namespaces.Count;
        controller.SetRateLimit(id, new NvmeRateLimit { Commands = 10_000, Bytes = 200 << 20 });
        await controller.RemoveNamespaceAsync(id);

        count.Should().Be(1);
        controller.Namespaces.Should().BeEmpty();
    }

    [Fact]
    public void Controllers_share_their_namespaces()
    {
        using MemoryDisk disk = new(1 << 20);

        using NvmeSubsystem subsystem = new([disk]);
        using NvmeController first = new(subsystem);
        using NvmeController second = new(subsystem, new NvmeControllerOptions { ControllerId = 7 });
        second.SetAnaState(group: 1, NvmeAnaState.Inaccessible);

        subsystem.Controllers.Should().Equal(0, 7);
        first.Namespaces.Should().Equal(second.Namespaces);
    }

    private static void Serve(string[] args)
    {
        using FileDisk disk = FileDisk.Open(args[1], size: 10L << 30);
        using NvmeController controller = new([disk]);
        using VfioUserServer server = VfioUserServer.Bind(args[0]);
        Console.WriteLine(server.QemuArguments);
        server.Run(controller);
    }

    private static bool Listens(string path)
    {
        using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException)
        {
            return false; // no file yet, or nobody who listens
        }
    }
}
