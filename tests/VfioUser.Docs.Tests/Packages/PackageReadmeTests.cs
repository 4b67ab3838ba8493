using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Docs.Tests.Packages;

/// <summary>The snippets of the packages' READMEs.</summary>
public sealed class PackageReadmeTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-docs-");

    [Fact]
    public void Client_and_server_meet_on_a_path()
    {
        string[] args = [Path.Combine(_folder.FullName, "counter.sock")];
        Thread serving = new(() => Serve(args)) { IsBackground = true }; // until the tests' process ends, as a program does
        serving.Start();
        SpinWait.SpinUntil(() => Listens(args[0]), Timeout).Should().BeTrue();

        string id = ReadId(args);

        id.Should().Be("1b36:00f1");
    }

    [Fact]
    public void TestGuest_rings_and_counts()
    {
        using var guest = TestGuest.Attach(new Counter(), GuestMemoryKind.Mapped);

        guest.Bar0.Write(0x04, 1u); // the doorbell

        Assert.Equal(1u, guest.Bar0.Read<uint>(0x00));
        Assert.Equal(1, guest.MsiX[0].Count);
    }

    [Fact]
    public void Bytes_are_read_as_structures()
    {
        ReadOnlySpan<byte> bytes = [7, 0, 5, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        MessageHeader header = WireFormat.Read<MessageHeader>(bytes);
        Console.WriteLine($"{header.Command}, message {header.MessageId}, {header.MessageSize} bytes");

        header.Command.Should().Be(Command.DeviceGetRegionInfo);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static void Serve(string[] args)
    {
        using var server = VfioUserServer.Bind(args[0]);
        server.Run(new Counter());
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

    private static string ReadId(string[] args)
    {
        using VfioUserClient client = VfioUserClient.Connect(args[0]);
        Span<byte> id = stackalloc byte[4];
        client.ReadRegion(region: 7, offset: 0, id); // configuration space
        Console.WriteLine($"{BitConverter.ToUInt16(id):x4}:{BitConverter.ToUInt16(id[2..]):x4}");

        return $"{BitConverter.ToUInt16(id):x4}:{BitConverter.ToUInt16(id[2..]):x4}";
    }
}
