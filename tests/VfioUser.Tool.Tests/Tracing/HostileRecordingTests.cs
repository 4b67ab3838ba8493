using System.IO.Pipes;
using System.Net.Sockets;
using VfioUser.Protocol;
using VfioUser.Tool.Recording;

namespace VfioUser.Tool.Tests.Tracing;

public sealed class HostileRecordingTests : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan Century = TimeSpan.FromDays(36525);
    private readonly string _file = Path.GetTempFileName();
    private readonly CancellationTokenSource _stop = new();

    [Fact]
    public async Task A_recording_is_read_from_a_pipe()
    {
        using AnonymousPipeServerStream pipe = new(PipeDirection.Out);
        string path = $"/proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()}";
        Task<ToolRun> run = Task.Run(() => ToolRun.Of("trace", "--read", path));

        pipe.Write([.. Start(), .. Record(RecordKind.Connected, TimeSpan.Zero, []), .. Record(RecordKind.Disconnected, TimeSpan.Zero, [])]);
        pipe.Dispose(); // the end to write, and only that
        ToolRun printed = await run.WaitAsync(Timeout);

        pipe.DisposeLocalCopyOfClientHandle();
        printed.Should().Be(new ToolRun(0, "   0.000000  client 1 connected\n   0.000000  client 1 disconnected\n", ""));
    }

    [Theory]
    [InlineData("trace", "--read", "FILE")]
    [InlineData("replay", "FILE", "@never")]
    public void A_recording_that_ends_within_its_header_is_reported_as_cut_off(params string[] args)
    {
        File.WriteAllBytes(_file, Start(headerSize: 100));

        ToolRun run = ToolRun.Of([.. args.Select(arg => arg.Replace("FILE", _file, StringComparison.Ordinal))]);

        run.Error.Should().Be("vfio-user: The recording ends within a record, as that of a killed trace does.\n");
    }

    [Fact]
    public async Task Centuries_between_two_messages_are_waited_for_until_ctrl_c()
    {
        using SilentServer server = new();
        File.WriteAllBytes(_file,
            [.. Start(), .. Record(RecordKind.Message, -Century, Version), .. Record(RecordKind.Message, Century, Version)]);
        Task<ToolRun> run = Task.Run(() => ToolRun.Of(_stop.Token, "replay", _file, server.Path, "--speed", "0.001"));

        await server.Hears(Version.Length);
        await _stop.CancelAsync();

        (await run.WaitAsync(Timeout)).Should().Be(new ToolRun(130, "", ""));
    }

    [Fact]
    public async Task Ctrl_c_ends_the_wait_for_an_answer()
    {
        using SilentServer server = new();
        File.WriteAllBytes(_file, [.. Start(), .. Record(RecordKind.Message, TimeSpan.Zero, Version), .. Record(RecordKind.Message, TimeSpan.Zero, Version, way: 1)]);
        Task<ToolRun> run = Task.Run(() => ToolRun.Of(_stop.Token, "replay", _file, server.Path, "--server-timeout", "86400"));

        await server.Hears(Version.Length);
        await _stop.CancelAsync();

        (await run.WaitAsync(Timeout)).Should().Be(new ToolRun(130, "", ""));
    }

    public void Dispose()
    {
        _stop.Dispose();
        File.Delete(_file);
    }

    private static byte[] Version => RawClient.Bytes(new MessageHeader(1, Command.Version, MessageHeader.WireSize, MessageFlags.Command, 0));

    private static byte[] Start(uint headerSize = RecordingHeader.WireSize) => RecordedBytes.StartOf(headerSize);

    private static byte[] Record(RecordKind kind, TimeSpan time, byte[] message, byte way = 0) => RecordedBytes.Of(message, way, kind, time);

    /// <summary>A server that accepts, hears, and never says a word.</summary>
    private sealed class SilentServer : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private Socket? _client;

        public SilentServer()
        {
            _socket.Bind(new UnixDomainSocketEndPoint(Path));
            _socket.Listen();
        }

        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"vfio-user-silent-{Guid.NewGuid():n}.sock");

        public async Task Hears(int bytes)
        {
            using CancellationTokenSource end = new(Timeout);
            _client ??= await _socket.AcceptAsync(end.Token);
            await using NetworkStream stream = new(_client);
            await stream.ReadExactlyAsync(new byte[bytes], end.Token);
        }

        public void Dispose()
        {
            _client?.Dispose();
            _socket.Dispose();
            File.Delete(Path);
        }
    }
}
