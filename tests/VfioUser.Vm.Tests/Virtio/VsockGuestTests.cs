using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>Sockets between host and guest, under Linux's vmw_vsock_virtio_transport.</summary>
public sealed class VsockGuestTests : IDisposable
{
    private const int Length = 3_000_000;

    private static readonly Initramfs Guest = new(
        modules: ["vmw_vsock_virtio_transport"], programs: ["python3"], files: () => [Script.PathOf("vsock.py")]);

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(120);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vsock-");

    public void Dispose() => _folder.Delete(recursive: true);

    [VmFact]
    public async Task Bytes_are_echoed_whoever_connects()
    {
        using VirtioVsock device = new(new() { GuestCid = 77 });
        using VsockListener listener = device.Listen(5000);
        await using VsockUnixSockets sockets = new(device, Path.Combine(_folder.FullName, "v"));
        await using ServedDevice served = new(device);
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { Guest = Guest, SocketPaths = [served.SocketPath] });
        await machine.Output($"head -c {Length} /dev/urandom >/tmp/a");

        Task echo = EchoOnce(listener);
        await SendsAndReceives(machine, port: 5000);
        await echo.WaitAsync(Timeout);

        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "v_6000")));
        socket.Listen();
        echo = EchoOnce(socket);
        await SendsAndReceives(machine, port: 6000);
        await echo.WaitAsync(Timeout);

        await Listen(machine, port: 22);
        await using (VsockStream stream = await device.ConnectAsync(22).AsTask().WaitAsync(Timeout))
            await ShouldEcho(stream, stream.CompleteWrites);
        await Listen(machine, port: 23);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "v")));
        await using NetworkStream host = new(client);
        await host.WriteAsync("CONNECT 23\n"u8.ToArray());
        byte[] ok = new byte[3];
        await host.ReadExactlyAsync(ok).AsTask().WaitAsync(Timeout);
        Encoding.ASCII.GetString(ok).Should().Be("OK ");
        while (host.ReadByte() != '\n')
        {
        }
        await ShouldEcho(host, () => client.Shutdown(SocketShutdown.Send));

        (await machine.Run("python3 -I -S /files/vsock.py connect 7000 /tmp/a /tmp/b")).ExitCode.Should().NotBe(0, "nobody listens there");
        await FluentActions.Awaiting(() => device.ConnectAsync(99).AsTask().WaitAsync(Timeout)).Should().ThrowAsync<SocketException>();
        await machine.PowerOff();
    }

    private static async Task SendsAndReceives(VirtualMachine machine, int port)
    {
        string sums = await machine.Output($"python3 -I -S /files/vsock.py connect {port} /tmp/a /tmp/b && sha256sum </tmp/a && sha256sum </tmp/b");
        string[] lines = sums.Split('\n');
        lines.Should().HaveCount(2);
        lines[1].Should().Be(lines[0]);
    }

    private static Task<string> Listen(VirtualMachine machine, int port) => machine.Output(
        $"(python3 -I -S /files/vsock.py listen {port} >/tmp/listen.{port} 2>&1 &); until grep -q listening /tmp/listen.{port}; do usleep 10000; done");

    private static async Task EchoOnce(VsockListener listener)
    {
        await using VsockStream stream = await listener.AcceptAsync();
        await stream.CopyToAsync(stream);
    }

    private static async Task EchoOnce(Socket listener)
    {
        using Socket socket = await listener.AcceptAsync();
        await using NetworkStream stream = new(socket);
        await stream.CopyToAsync(stream);
    }

    private static async Task ShouldEcho(Stream stream, Action completeWrites)
    {
        byte[] sent = RandomNumberGenerator.GetBytes(Length);
        Task sending = Task.Run(async () =>
        {
            await stream.WriteAsync(sent);
            completeWrites();
        });
        byte[] received = new byte[Length];
        await stream.ReadExactlyAsync(received).AsTask().WaitAsync(Timeout);
        await sending.WaitAsync(Timeout);
        received.AsSpan().SequenceEqual(sent).Should().BeTrue();
        (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().Be(0, "the guest has sent all");
    }
}
