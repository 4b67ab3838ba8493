using System.Net.Sockets;
using VfioUser.Protocol.Interop;

namespace VfioUser.Client.Tests;

/// <summary>A client waits for a server for as long as it was told, and not after it was told to end.</summary>
public sealed class ConnectingTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private readonly List<SafeSocketHandle> _queued = [];
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"vfio-user-connecting-{Guid.NewGuid():n}.sock");
    private readonly CancellationTokenSource _cancel = new();

    public ConnectingTests()
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen(0);
    }

    [Fact]
    public void Connecting_to_a_full_queue_waits_for_the_timeout()
    {
        FillQueue();

        Action connect = () => VfioUserClient.Connect(_path, new VfioUserClientOptions { ConnectTimeout = TimeSpan.FromMilliseconds(50) });

        connect.Should().Throw<IOException>().WithMessage($"Cannot connect to '{_path}': its queue is full, and nobody was accepted within 0.05 seconds.");
    }

    [Fact]
    public void Connecting_where_no_server_listens_says_what_is_there()
    {
        string folder = Path.GetDirectoryName(_path)!;
        string file = typeof(ConnectingTests).Assembly.Location;

        Action toFolder = () => VfioUserClient.Connect(folder);
        Action toFile = () => VfioUserClient.Connect(file);

        toFolder.Should().Throw<IOException>().WithMessage($"Cannot connect to '{folder}': it is a folder, not a socket.");
        toFile.Should().Throw<IOException>().WithMessage($"Cannot connect to '{file}': no server listens there.");
    }

    [Fact]
    public async Task A_client_that_waits_for_a_full_queue_connects_when_there_is_room()
    {
        FillQueue();
        Task<SafeSocketHandle> connect = Run(() => ConnectCalls.Connect(_path, Timeout));

        for (int i = 0; i < _queued.Count; i++)
            (await _listener.AcceptAsync()).Dispose();

        (await connect.WaitAsync(Timeout)).Dispose();
    }

    [Fact]
    public async Task Cancellation_ends_the_wait_for_a_full_queue()
    {
        FillQueue();
        Task connect = Run(() => VfioUserClient.Connect(_path, Options));

        await _cancel.CancelAsync();

        await connect.Invoking(it => it.WaitAsync(Timeout)).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Cancellation_ends_the_wait_for_a_version()
    {
        Task connect = Run(() => VfioUserClient.Connect(_path, Options));
        using Socket accepted = await _listener.AcceptAsync();

        await _cancel.CancelAsync();

        await connect.Invoking(it => it.WaitAsync(Timeout)).Should().ThrowAsync<OperationCanceledException>();
    }

    [Fact]
    public async Task Cancellation_ends_calls_that_wait_and_those_to_come()
    {
        using FakeServer server = FakeServer.Negotiated(FakeServer.NoTwin with { Cancellation = _cancel.Token, Timeout = Timeout });
        Task call = Run(() => server.Client.GetDeviceInfo());
        server.Peer.ReadMessage();

        await _cancel.CancelAsync();

        await call.Invoking(it => it.WaitAsync(Timeout)).Should().ThrowAsync<OperationCanceledException>();
        server.Client.Invoking(it => it.GetDeviceInfo()).Should().Throw<OperationCanceledException>();
        server.Client.Invoking(it => it.PostRegionWrite(0, 0, new byte[4])).Should().Throw<OperationCanceledException>();
    }

    [Fact]
    public async Task A_server_that_reads_nothing_is_given_up()
    {
        using FakeServer server = FakeServer.Negotiated(FakeServer.NoTwin with { Timeout = TimeSpan.FromMilliseconds(50) });

        Task posting = Run(() =>
        {
            while (true)
                server.Client.PostRegionWrite(0, 0, new byte[4096]);
        });

        (await posting.Invoking(it => it.WaitAsync(Timeout)).Should().ThrowAsync<VfioUserException>()).Which.Errno.Should().Be(Errno.ETIMEDOUT);
    }

    [Theory]
    [InlineData("")]
    [InlineData("@0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    public void An_invalid_address_is_the_callers_mistake(string path) =>
        FluentActions.Invoking(() => VfioUserClient.Connect(path)).Should().Throw<ArgumentException>();

    [Fact]
    public void Names_of_the_abstract_namespace_are_those_that_others_bind()
    {
        string name = $"vfio-user-connecting-{Guid.NewGuid():n}";
        using Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint("\0" + name));
        listener.Listen();

        using SafeSocketHandle connected = ConnectCalls.Connect("@" + name, Timeout);

        SocketCalls.IsConnectedStream(connected).Should().BeTrue();
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (SafeSocketHandle queued in _queued)
            queued.Dispose();
        _cancel.Dispose();
        File.Delete(_path);
    }

    private VfioUserClientOptions Options => new() { ConnectTimeout = TimeSpan.FromDays(1), Timeout = TimeSpan.FromDays(1), Cancellation = _cancel.Token };

    private void FillQueue()
    {
        try
        {
            while (true)
                _queued.Add(ConnectCalls.Connect(_path, TimeSpan.Zero));
        }
        catch (IOException)
        {
            // full
            return;
        }
    }

    private static Task<T> Run<T>(Func<T> body) => Task.Factory.StartNew(body, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static Task Run(Action body) => Task.Factory.StartNew(body, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
