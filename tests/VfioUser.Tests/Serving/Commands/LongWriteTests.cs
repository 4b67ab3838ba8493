using System.IO.Pipes;
using VfioUser.Protocol;

namespace VfioUser.Tests.Serving;

/// <summary>Writes so long that they are received into the region's memory.</summary>
public sealed class LongWriteTests : IDisposable
{
    private const int Long = 512 << 10;
    private const int MemoryStart = 1 << 20;
    private const int BarSize = 4 << 20;

    private readonly MemoryDevice _device = new();
    private readonly CapturedLog _log = new() { Level = Microsoft.Extensions.Logging.LogLevel.Debug };
    private readonly VfioUserServer _server;
    private readonly byte[] _data = new byte[Long];
    private Task? _running;

    public LongWriteTests()
    {
        new Random(1).NextBytes(_data);
        _server = VfioUserServer.BindAbstract($"vfio-user-test-{Guid.NewGuid():N}", new VfioUserServerOptions { Logger = _log });
    }

    public void Dispose()
    {
        _server.Dispose();
        _running?.ShouldEnd();
        _log.Failures.Should().BeEmpty();
    }

    [Theory]
    [InlineData(MessageHeader.WireSize - 1)]
    [InlineData(MessageHeader.WireSize)]
    [InlineData(MessageHeader.WireSize + RegionAccess.WireSize - 1)]
    [InlineData(MessageHeader.WireSize + RegionAccess.WireSize)]
    [InlineData(MessageHeader.WireSize + RegionAccess.WireSize + 1)]
    [InlineData(100_000)]
    [InlineData(Long)]
    [InlineData(Long + MessageHeader.WireSize + RegionAccess.WireSize)]
    public void Write_that_arrives_in_two_pieces_is_written_as_a_whole(int first)
    {
        using RawClient client = Attach();
        client.ShouldBeServed();
        byte[] message = Write(7, MemoryStart + 3, _data);

        client.SayBytes(message.AsSpan(0, first));
        client.ShouldBeRead();
        client.SayBytes(message.AsSpan(first));

        ShouldBeWritten(client, 7, Long);
        Memory(3, Long).SequenceEqual(_data).Should().BeTrue();
        _device.Memory.Span(MemoryStart, 3).ToArray().Should().OnlyContain(unchanged => unchanged == 0);
        _device.Written.Should().Equal((MemoryStart + 3, Long));
        client.ShouldBeServed();
    }

    [Fact]
    public void Commands_before_and_after_a_long_write_keep_their_order()
    {
        using RawClient client = Attach();
        byte[] second = [.. _data.Reverse()];
        client.SayBytes(
        [
            .. RawClient.Message(1, Command.RegionWrite, RawClient.Bytes(new RegionAccess(MemoryStart, 0, 4), 1, 2, 3, 4)),
            .. Write(2, MemoryStart + 2, _data),
            .. RawClient.Message(3, Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart, 0, 4))),
            .. Write(4, MemoryStart + 2, second, MessageFlags.Command | MessageFlags.NoReply),
            .. Write(5, MemoryStart + 1, second),
            .. RawClient.Message(6, Command.RegionRead, RawClient.Bytes(new RegionAccess(MemoryStart, 0, 4))),
        ]);

        ShouldBeWritten(client, 1, 4);
        ShouldBeWritten(client, 2, Long);
        Read(client, 3).Should().Equal(1, 2, _data[0], _data[1]);
        ShouldBeWritten(client, 5, Long);
        Read(client, 6).Should().Equal(1, second[0], second[1], second[2]);
        Memory(1, Long).SequenceEqual(second).Should().BeTrue();
        _device.Written.Should().Equal((MemoryStart, 4), (MemoryStart + 2, Long), (MemoryStart + 2, Long), (MemoryStart + 1, Long));
    }

    [Fact]
    public void Write_over_a_gap_and_memory_reaches_both()
    {
        using RawClient client = Attach();

        client.SayBytes(Write(1, MemoryStart - (Long / 2), _data));

        ShouldBeWritten(client, 1, Long);
        Memory(0, Long / 2).SequenceEqual(_data.AsSpan(Long / 2)).Should().BeTrue();
        _device.Written.Should().Equal((MemoryStart, Long / 2));
    }

    [Fact]
    public void Interceptor_gets_a_long_write_of_memory()
    {
        RecordingHandler handler = new();
        _device.Bar.Intercept(handler);
        using RawClient client = Attach();

        client.SayBytes(Write(1, MemoryStart, _data));

        ShouldBeWritten(client, 1, Long);
        handler.Writes.Should().ContainSingle().Which.Bytes.Should().Equal(_data);
        _device.Written.Should().BeEmpty();
    }

    [Theory]
    [InlineData(MemoryStart, 0u, Long - 1)] // other bytes than it says
    [InlineData(MemoryStart, 0u, Long + 1)]
    [InlineData(MemoryStart, 1u, Long)] // no region
    [InlineData(MemoryStart, 7u, Long)]
    [InlineData(MemoryStart, 99u, Long)]
    [InlineData(BarSize - Long + 1, 0u, Long)] // beyond the end
    [InlineData(-1, 0u, Long)]
    public void Bad_long_write_is_refused_and_changes_nothing(long offset, uint region, int count)
    {
        using RawClient client = Attach();

        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess((ulong)offset, region, (uint)count), _data)).ShouldBeRefused(Errno.EINVAL);

        _device.Written.Should().BeEmpty();
        Memory(0, BarSize - MemoryStart).ContainsAnyExcept((byte)0).Should().BeFalse();
        client.ShouldBeServed();
    }

    [Fact]
    public void Access_without_its_data_is_refused_also_after_a_long_write()
    {
        using RawClient client = Attach();
        byte[] access = RawClient.Bytes(new RegionAccess(MemoryStart, 0, Long));
        client.SayBytes(Write(1, MemoryStart, _data));
        ShouldBeWritten(client, 1, Long);

        client.Ask(Command.RegionWrite, access).ShouldBeRefused(Errno.EINVAL);

        _device.Written.Should().ContainSingle();
    }

    [Fact]
    public void Client_that_leaves_in_the_middle_of_a_long_write_leaves_no_handler_called()
    {
        using (RawClient client = Attach())
        {
            client.ShouldBeServed();
            client.SayBytes(Write(1, MemoryStart, _data).AsSpan(0, 200_000));
            client.ShouldBeRead();
        }

        using RawClient next = Attach();
        next.ShouldBeServed();
        _device.Written.Should().BeEmpty();
        // an access of the next client is not taken for the one that was left
        next.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess(MemoryStart, 0, Long))).ShouldBeRefused(Errno.EINVAL);
    }

    [Fact]
    public void Server_stops_in_the_middle_of_a_long_write()
    {
        using RawClient client = Attach();
        client.ShouldBeServed();
        client.SayBytes(Write(1, MemoryStart, _data).AsSpan(0, 200_000));
        client.ShouldBeRead();

        _server.Dispose();

        _running!.ShouldEnd();
        client.ShouldHearTheEnd();
    }

    [Fact]
    public void Traced_long_write_is_written()
    {
        _log.Level = Microsoft.Extensions.Logging.LogLevel.Trace;
        using RawClient client = Attach();

        client.SayBytes(Write(1, MemoryStart, _data));

        ShouldBeWritten(client, 1, Long);
        Memory(0, Long).SequenceEqual(_data).Should().BeTrue();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_000)]
    public void Descriptors_of_a_long_write_are_closed(int with)
    {
        using RawClient client = Attach();
        client.ShouldBeServed();
        byte[] message = Write(1, MemoryStart, _data);
        using AnonymousPipeServerStream pipe = new(PipeDirection.In);

        client.SayBytes(message.AsSpan(0, with));
        client.ShouldBeRead();
        client.SayBytes(message.AsSpan(with, 70_000), pipe.ClientSafePipeHandle);
        pipe.DisposeLocalCopyOfClientHandle();
        client.SayBytes(message.AsSpan(with + 70_000));

        ShouldBeWritten(client, 1, Long);
        Memory(0, Long).SequenceEqual(_data).Should().BeTrue();
        Wait.Start(pipe.ReadByte).ShouldGive(-1);
    }

    private static byte[] Write(ushort id, long offset, byte[] data, MessageFlags flags = MessageFlags.Command) =>
        RawClient.Message(id, Command.RegionWrite, RawClient.Bytes(new RegionAccess((ulong)offset, 0, (uint)data.Length), data), flags);

    private static void ShouldBeWritten(RawClient client, ushort id, int count) =>
        client.HearReply(id, Command.RegionWrite).ShouldBegin<RegionAccess>(out _).Count.Should().Be((uint)count);

    private static byte[] Read(RawClient client, ushort id)
    {
        client.HearReply(id, Command.RegionRead).ShouldBegin<RegionAccess>(out byte[] read);
        return read;
    }

    private Span<byte> Memory(int offset, int length) => _device.Memory.Span(MemoryStart + offset, length);

    private RawClient Attach()
    {
        _running ??= _server.RunAsync(_device);
        RawClient client = RawClient.Connect(_server.Address);
        Served.Negotiate(client);
        return client;
    }

    private sealed class MemoryDevice : PciDevice
    {
        public MemoryDevice()
            : base(new PciId(0x1B36, 0x00F3), PciClass.ProcessingAccelerator)
        {
            Bar = AddBar(0, BarKind.Memory32, BarSize);
            Memory = Bar.ShareMemory(new MemoryArea(MemoryStart, BarSize - MemoryStart));
            Memory.AddWriteHandler((offset, length) => Written.Add((offset, length)));
        }

        public Bar Bar { get; }

        public RegionMemory Memory { get; }

        public List<(long Offset, int Length)> Written { get; } = [];
    }
}
