namespace VfioUser.Virtio.Tests;

/// <summary>Drivers of a socket device that lie, and programs in the guest that try everything: they lose their connection, and no other.</summary>
public sealed class HostileVsockDriverTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    private readonly VirtioVsock _device = new(new() { GuestCid = 42, BufferSize = 16 << 10, MaxConnections = 4 });
    private readonly VsockListener _listener;
    private readonly TestGuest _guest;
    private VsockDriver _driver;

    public HostileVsockDriverTests()
    {
        _listener = _device.Listen(1024);
        _guest = TestGuest.Attach(_device, new TestGuestOptions { MemorySize = 128 << 20 });
        _driver = new VsockDriver(_guest);
    }

    public void Dispose()
    {
        _guest.Dispose();
        _listener.Dispose();
        _device.Dispose();
    }

    [Theory]
    [InlineData((ushort)0)]
    [InlineData((ushort)1)]
    [InlineData((ushort)2)]
    [InlineData((ushort)8)]
    [InlineData((ushort)0xFFFF)]
    public async Task Operation_that_has_no_place_resets_the_connection(ushort operation)
    {
        VsockStream other = await Connect(6);
        VsockStream stream = await Connect(7);

        _driver.Send((VsockOperation)operation, 1024, 7);

        _driver.Receive().Should().Be("Reset 1024>7");
        await ShouldBeReset(stream);
        await other.WriteAsync(new byte[] { 65 });
        _driver.Receive().Should().Be("ReadWrite 1024>6 A");
    }

    [Fact]
    public async Task Data_beyond_the_credit_resets_the_connection()
    {
        VsockStream stream = await Connect(7);
        for (int i = 0; i < 4; i++)
            _driver.Send(VsockOperation.ReadWrite, 1024, 7, new byte[4 << 10]);

        _driver.Send(VsockOperation.ReadWrite, 1024, 7, new byte[1]);

        _driver.Receive().Should().Be("Reset 1024>7");
        await ShouldBeReset(stream);
    }

    [Fact]
    public async Task Claim_to_have_got_what_was_not_sent_resets_the_connection()
    {
        VsockStream stream = await Connect(7);

        _driver.Send(_driver.Header(VsockOperation.CreditUpdate, 1024, 7) with { Forwarded = 1 });

        _driver.Receive().Should().Be("Reset 1024>7");
        await ShouldBeReset(stream);
    }

    [Fact]
    public async Task Data_after_the_end_resets_the_connection()
    {
        VsockStream stream = await Connect(7);
        _driver.Send(_driver.Header(VsockOperation.Shutdown, 1024, 7) with { Flags = VsockShutdown.Send });

        _driver.Send(VsockOperation.ReadWrite, 1024, 7, "x"u8);

        _driver.Receive().Should().Be("Reset 1024>7");
        (await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().Be(0);
    }

    [Fact]
    public async Task Connections_are_bounded()
    {
        for (uint port = 1; port <= 4; port++)
            await Connect(port);

        _driver.Send(VsockOperation.Request, 1024, 5);

        _driver.Receive().Should().Be("Reset 1024>5");
        _device.Connections.Should().Be(4);
        await FluentActions.Awaiting(() => _device.ConnectAsync(1).AsTask()).Should().ThrowAsync<System.Net.Sockets.SocketException>();
    }

    [Fact]
    public void Other_addresses_and_other_kinds_of_sockets_are_reset()
    {
        _driver.Send(_driver.Header(VsockOperation.Request, 1024, 7) with { Type = 2 });
        _driver.Receive().Should().Be("Reset 1024>7");
        _driver.Last.Type.Should().Be(2);

        _driver.Driver.Queues[1].Request(Bytes(_driver.Header(VsockOperation.Request, 1024, 7) with { DestinationCid = 99 }), 0);
        FluentActions.Invoking(_driver.Receive).Should().Throw<Xunit.Sdk.XunitException>("the answer comes from there");
        _driver.Last.SourceCid.Should().Be(99);
        _device.Connections.Should().Be(0);
        _driver.Driver.ReadNeedsReset().Should().BeFalse("any program may try");
    }

    [Fact]
    public void Resets_without_a_connection_are_not_answered()
    {
        _driver.Send(VsockOperation.Reset, 1024, 7);
        _driver.Send(VsockOperation.Request, 1, 8);

        _driver.Receive().Should().Be("Reset 1>8");
    }

    [Fact]
    public void Packet_that_is_shorter_than_it_says_is_an_error_of_the_driver() => ShouldFail(
        () => _driver.Send(_driver.Header(VsockOperation.ReadWrite, 1024, 7, length: 100), new byte[99]), "a packet of 143 bytes is shorter than it says");

    [Fact]
    public void Packet_without_a_header_is_an_error_of_the_driver() => ShouldFail(
        () => _driver.Driver.Queues[1].Request(new byte[43], 0), "a packet of 43 bytes");

    [Fact]
    public void Packet_from_another_address_is_an_error_of_the_driver() => ShouldFail(
        () => _driver.Send(_driver.Header(VsockOperation.Request, 1024, 7) with { SourceCid = 43 }), "a packet comes from 43, and the guest is 42");

    [Fact]
    public void Buffers_without_room_for_a_header_are_an_error_of_the_driver()
    {
        VirtioDriver driver = _driver.Driver;
        driver.Start();
        ReceiveQueue receive = new(driver, 0, length: 43);

        driver.Queues[1].Request(Bytes(_driver.Header(VsockOperation.Request, 1, 7)), 0);

        receive.Receive().Should().BeEmpty();
        SpinWait.SpinUntil(driver.ReadNeedsReset, Timeout).Should().BeTrue();
    }

    [Fact]
    public void Driver_that_takes_no_resets_has_its_packets_wait()
    {
        VirtioDriver driver = _driver.Driver;
        driver.Start();
        byte[] request = Bytes(_driver.Header(VsockOperation.Request, 1, 7));
        for (int i = 0; i < 256; i++)
            driver.Queues[1].Request(request, 0);

        driver.Queues[1].Add(new VirtioPart(_guest.Place(request), request.Length, writable: false));
        driver.Queues[1].Notify();
        driver.Queues[1].TryTake(out _).Should().BeFalse();

        ReceiveQueue receive = new(driver, 0, length: 44);
        for (int i = 0; i < 257; i++)
            receive.Receive().Should().HaveCount(44);
        driver.Queues[1].Take();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Random_packets_break_nothing(int seed)
    {
        Random random = new(seed);
        VirtioDriver driver = _driver.Driver;
        byte[] noise = new byte[64];
        Task accepting = AcceptAll();
        for (int i = 0; i < 3000; i++)
        {
            random.NextBytes(noise);
            VsockHeader header = _driver.Header((VsockOperation)random.Next(10), random.Next(3) == 0 ? (uint)random.Next(2000) : 1024, (uint)random.Next(6));
            header.DataLength = (uint)random.Next(70);
            header.Flags = (VsockShutdown)random.Next(5);
            header.Forwarded = random.Next(2) == 0 ? 0 : (uint)random.Next(-3, 70);
            header.BufferSize = (uint)random.Next(-1, 100);
            header.Type = (ushort)(random.Next(10) == 0 ? random.Next(4) : 1);
            driver.Queues[1].Request([.. Bytes(header), .. noise.AsSpan(0, random.Next(64))], 0);
            while (_driver.TryReceive())
            {
            }
            if (i % 500 == 499)
                _driver = new VsockDriver(_guest);
            driver = _driver.Driver;
            _driver.Send(VsockOperation.Request, 1024, 100 + (uint)i % 3);
        }

        _listener.Dispose();
        await FluentActions.Awaiting(() => accepting.WaitAsync(Timeout)).Should().ThrowAsync<ObjectDisposedException>();
        _driver = new VsockDriver(_guest);
        using VsockListener listener = _device.Listen(2048);
        _driver.Send(VsockOperation.Request, 2048, 7);
        _driver.Receive().Should().Be("Response 2048>7");
        _device.Connections.Should().Be(1);
    }

    private async Task AcceptAll()
    {
        while (true)
            await (await _listener.AcceptAsync()).DisposeAsync();
    }

    private static byte[] Bytes(VsockHeader header) =>
        System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<VsockHeader>(in header)).ToArray();

    private static async Task ShouldBeReset(VsockStream stream) =>
        await FluentActions.Awaiting(() => stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Timeout)).Should().ThrowAsync<IOException>();

    private async Task<VsockStream> Connect(uint port)
    {
        _driver.Send(VsockOperation.Request, 1024, port);
        _driver.Receive().Should().Be($"Response 1024>{port}");
        return await _listener.AcceptAsync().AsTask().WaitAsync(Timeout);
    }

    private void ShouldFail(Action lie, string reason)
    {
        lie();

        _driver.Driver.ReadNeedsReset().Should().BeTrue();
        _guest.Log.Should().Contain(line => line.Contains(reason, StringComparison.Ordinal));
        _driver = new VsockDriver(_guest);
        _driver.Send(VsockOperation.Request, 1024, 7);
        _driver.Receive().Should().Be("Response 1024>7");
    }
}
