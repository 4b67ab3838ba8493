using System.Net.Sockets;
using System.Text;

namespace VfioUser.Virtio.Tests;

public sealed class VsockTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly VirtioVsock _device = new(new() { GuestCid = 42, BufferSize = 16 << 10, MaxConnections = 4 });

    public static TheoryData<Layout> AllLayouts => Layouts.All;

    public void Dispose() => _device.Dispose();

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public async Task Guest_connects_and_bytes_go_both_ways(Layout layout)
    {
        using VsockListener listener = _device.Listen(1024);
        using TestGuest guest = TestGuest.Attach(_device);
        VsockDriver driver = new(guest, layout.Options(size: 32));

        driver.Send(VsockOperation.Request, 1024, 7);
        driver.Receive().Should().Be("Response 1024>7");
        driver.Last.BufferSize.Should().Be(16 << 10);
        await using VsockStream stream = await listener.AcceptAsync().AsTask().WaitAsync(Timeout);
        (stream.HostPort, stream.GuestPort).Should().Be((1024u, 7u));

        driver.Send(VsockOperation.ReadWrite, 1024, 7, "hello"u8);
        (await Read(stream, 5)).Should().Be("hello");
        await stream.WriteAsync("world"u8.ToArray());
        driver.Receive().Should().Be("ReadWrite 1024>7 world");
        driver.Last.Forwarded.Should().Be(5);
    }

    [Fact]
    public async Task Host_connects_to_a_program_in_the_guest()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        VsockDriver driver = new(guest);

        Task<VsockStream> connecting = _device.ConnectAsync(22).AsTask();
        driver.Receive().Should().Be("Request 1073741824>22");
        driver.Send(VsockOperation.Response, 1073741824, 22);
        await using VsockStream stream = await connecting.WaitAsync(Timeout);
        await stream.WriteAsync("ssh"u8.ToArray());

        driver.Receive().Should().Be("ReadWrite 1073741824>22 ssh");
    }

    [Fact]
    public async Task Connection_that_the_guest_refuses_is_refused()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        VsockDriver driver = new(guest);

        Task<VsockStream> connecting = _device.ConnectAsync(22).AsTask();
        driver.Receive();
        driver.Send(VsockOperation.Reset, 1073741824, 22);

        (await FluentActions.Awaiting(() => connecting.WaitAsync(Timeout)).Should().ThrowAsync<SocketException>())
            .Which.SocketErrorCode.Should().Be(SocketError.ConnectionRefused);
        _device.Connections.Should().Be(0);
    }

    [Fact]
    public async Task Attempt_that_is_cancelled_is_reset()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        VsockDriver driver = new(guest);
        using CancellationTokenSource cancel = new();

        Task<VsockStream> connecting = _device.ConnectAsync(22, cancel.Token).AsTask();
        driver.Receive();
        await cancel.CancelAsync();

        driver.Receive().Should().Be("Reset 1073741824>22");
        await FluentActions.Awaiting(() => connecting.WaitAsync(Timeout)).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Without_a_driver_nobody_connects() =>
        (await FluentActions.Awaiting(() => _device.ConnectAsync(22).AsTask()).Should().ThrowAsync<SocketException>())
            .Which.SocketErrorCode.Should().Be(SocketError.NetworkDown);

    [Fact]
    public void Port_on_which_nobody_listens_is_reset()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        VsockDriver driver = new(guest);

        driver.Send(VsockOperation.Request, 80, 7);

        driver.Receive().Should().Be("Reset 80>7");
    }

    [Fact]
    public async Task Guest_is_sent_no_more_than_it_has_room_for()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, VsockStream stream) = await Connect(guest, buffer: 10);

        await stream.WriteAsync("0123456789abcdef"u8.ToArray());

        driver.Receive().Should().Be("ReadWrite 1024>7 0123456789");
        driver.Receive().Should().Be("CreditRequest 1024>7");
        driver.Send(driver.Header(VsockOperation.CreditUpdate, 1024, 7) with { BufferSize = 10, Forwarded = 4 });
        driver.Receive().Should().Be("ReadWrite 1024>7 abcd");
        driver.Receive().Should().Be("CreditRequest 1024>7");
        driver.Send(driver.Header(VsockOperation.CreditUpdate, 1024, 7) with { BufferSize = 100, Forwarded = 14 });
        driver.Receive().Should().Be("ReadWrite 1024>7 ef");
    }

    [Fact]
    public async Task Guest_is_told_when_there_is_room_again()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, VsockStream stream) = await Connect(guest);
        for (int i = 0; i < 4; i++)
            driver.Send(VsockOperation.ReadWrite, 1024, 7, new byte[4 << 10]);

        (await Read(stream, 4 << 10)).Should().HaveLength(4 << 10);

        driver.Receive().Should().Be("CreditUpdate 1024>7");
        driver.Last.Forwarded.Should().BeInRange(4 << 10, 16 << 10);
        driver.Send(VsockOperation.CreditRequest, 1024, 7);
        driver.Receive().Should().Be("CreditUpdate 1024>7");
    }

    [Fact]
    public async Task Ends_of_both_directions_are_told()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, VsockStream stream) = await Connect(guest);

        driver.Send(VsockOperation.ReadWrite, 1024, 7, "last"u8);
        driver.Send(driver.Header(VsockOperation.Shutdown, 1024, 7) with { Flags = VsockShutdown.Send });
        (await Read(stream, 4)).Should().Be("last");
        (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().Be(0);
        await stream.WriteAsync("answer"u8.ToArray());
        stream.CompleteWrites();
        driver.Receive().Should().Be("ReadWrite 1024>7 answer");
        driver.Receive().Should().Be("Shutdown 1024>7");
        driver.Last.Flags.Should().Be(VsockShutdown.Send);
        await stream.DisposeAsync();
        driver.Receive().Should().Be("Shutdown 1024>7");
        driver.Last.Flags.Should().Be(VsockShutdown.Both);
        driver.Send(VsockOperation.Reset, 1024, 7);
        _device.Connections.Should().Be(0);
    }

    [Fact]
    public async Task Guest_that_closes_is_answered_with_a_reset()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, VsockStream stream) = await Connect(guest);

        driver.Send(VsockOperation.ReadWrite, 1024, 7, "bye"u8);
        driver.Send(driver.Header(VsockOperation.Shutdown, 1024, 7) with { Flags = VsockShutdown.Both });

        driver.Receive().Should().Be("Reset 1024>7");
        _device.Connections.Should().Be(0);
        (await Read(stream, 3)).Should().Be("bye");
        (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().Be(0);
        await stream.WriteAsync(new byte[100]);
    }

    [Fact]
    public async Task Reset_of_a_connection_and_of_the_device_end_the_streams()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, VsockStream first) = await Connect(guest);
        driver.Send(VsockOperation.Reset, 1024, 7);
        await FluentActions.Awaiting(() => first.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().ThrowAsync<IOException>();

        (driver, VsockStream second) = await Connect(guest);
        driver.Driver.Reset();

        await FluentActions.Awaiting(() => second.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().ThrowAsync<IOException>();
        _device.Connections.Should().Be(0);
    }

    [Fact]
    public async Task Migration_has_the_driver_reset_its_connections()
    {
        using TestGuest guest = TestGuest.Attach(_device);
        (VsockDriver driver, _) = await Connect(guest);
        ReceiveQueue events = new(driver.Driver, 2, length: 4);

        using VirtioVsock other = new(new() { GuestCid = 42 });
        using VsockListener listener = other.Listen(1024);
        using TestGuest target = guest.MigrateTo(other);
        driver.Driver.MoveTo(target);

        events.Receive().Should().Equal(0, 0, 0, 0);
        driver.Send(VsockOperation.ReadWrite, 1024, 7, "?"u8);
        driver.Receive().Should().Be("Reset 1024>7");
        driver.Send(VsockOperation.Request, 1024, 8);
        driver.Receive().Should().Be("Response 1024>8");
    }

    private static async Task<string> Read(Stream stream, int count)
    {
        byte[] bytes = new byte[count];
        await stream.ReadExactlyAsync(bytes).AsTask().WaitAsync(Timeout);
        return Encoding.ASCII.GetString(bytes);
    }

    // port 7 of the guest with 1024 of the host
    private async Task<(VsockDriver Driver, VsockStream Stream)> Connect(TestGuest guest, uint buffer = VsockDriver.Buffer)
    {
        VsockDriver driver = new(guest);
        using VsockListener listener = _device.Listen(1024);
        driver.Send(driver.Header(VsockOperation.Request, 1024, 7) with { BufferSize = buffer });
        driver.Receive().Should().Be("Response 1024>7");
        return (driver, await listener.AcceptAsync().AsTask().WaitAsync(Timeout));
    }
}
