using System.Buffers.Binary;
using System.Text;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Capturing;
using VfioUser.Tool.Decoding;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Registers;
using VfioUser.Tool.Tests.Registers;
using VfioUser.Tool.Tests.Tracing;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Tests.Capturing;

/// <summary>Captures for Wireshark, read as pcapng and by tshark with the dissector.</summary>
public sealed class CaptureTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vfio-user-capture-");

    private string Capture => Path.Combine(_folder.FullName, "trace.pcapng");

    private string Recording => Path.Combine(_folder.FullName, "trace.rec");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void A_recording_converted_later_has_the_frames_of_the_trace()
    {
        Trace("--record", Recording, "--pcapng", Capture);
        string converted = Path.Combine(_folder.FullName, "converted.pcapng");

        ToolRun run = ToolRun.Of("trace", "--read", Recording, "--quiet", "--pcapng", converted);

        run.Should().Be(new ToolRun(0, "", ""));
        // the clocks of both files begin one after the other
        Frames(converted).Select(frame => Convert.ToHexString(frame.Bytes)).Should().Equal(Frames(Capture).Select(frame => Convert.ToHexString(frame.Bytes)));
    }

    [Fact]
    public void A_frame_has_the_bytes_that_are_documented()
    {
        DateTimeOffset start = DateTimeOffset.UnixEpoch.AddSeconds(1_000_000_000);
        byte[] message = RawClient.Message(0x1234, Command.DeviceReset, []);
        using (PcapngWriter writer = new(Capture, start))
            writer.Message(new TracedMessage { Client = 0x0506, Time = TimeSpan.FromSeconds(1.5), Way = Way.ToClient | Way.Twin, IsWhole = true, Bytes = message, Fds = [new FdFacts(FdKind.Memory, 0x2000)] });

        (ulong time, int length, byte[] bytes) = Frames(Capture).Should().ContainSingle().Subject;

        time.Should().Be(1_000_000_001_500_000_000);
        length.Should().Be(bytes.Length);
        Convert.ToHexStringLower(bytes).Should().Be("01020300" + "06050000" + "01000000" + "01000000" + "00000000" + "0020000000000000" + Convert.ToHexStringLower(message));
    }

    [Fact]
    public void A_long_frame_is_cut_off_and_its_length_kept()
    {
        using (PcapngWriter writer = new(Capture, DateTimeOffset.UnixEpoch))
        {
            writer.Message(new TracedMessage { Client = 1, Time = default, Way = Way.ToServer, IsWhole = true, Bytes = new byte[1 << 20], Fds = [] });
            writer.Disconnected(1, default);
        }

        (ulong, int Length, byte[] Bytes)[] frames = Frames(Capture);

        frames[0].Length.Should().Be((1 << 20) + PcapngWriter.FrameHeaderSize);
        frames[0].Bytes.Should().HaveCount(PcapngWriter.LongestFrame);
        frames[1].Bytes[1].Should().Be((byte)RecordKind.Disconnected);
    }

    [TsharkFact]
    public async Task Tshark_decodes_what_a_client_and_a_server_said()
    {
        Trace("--pcapng", Capture);

        string[] all = await Tshark.Fields(Capture, "vfio_user", "_ws.col.Info");
        string[] accesses = await Tshark.Fields(Capture, "vfio_user.command == 9 && vfio_user.region == 0", "vfio_user.type", "vfio_user.offset", "vfio_user.value", "vfio_user.errno");
        string[] replies = await Tshark.Fields(Capture, "vfio_user.type == 1 && vfio_user.latency", "vfio_user.reply_to");
        string[] malformed = await Tshark.Fields(Capture, "vfio_user.malformed", "_ws.col.Info");

        all[0].Should().Be("client 1 connected");
        all[^1].Should().Be("client 1 disconnected");
        all.Should().Contain(line => line.StartsWith("VERSION #", StringComparison.Ordinal) && line.Contains("capabilities", StringComparison.Ordinal))
            .And.Contain(line => line.StartsWith("DMA_MAP #", StringComparison.Ordinal) && line.EndsWith(" 0x20000 + 0x2000, 1 fd", StringComparison.Ordinal))
            .And.Contain(line => line.StartsWith("twin DMA_READ #", StringComparison.Ordinal) && line.Contains(" reply 0x10000, 4 bytes = 0x", StringComparison.Ordinal))
            .And.Contain(line => line.StartsWith("REGION_READ #", StringComparison.Ordinal) && line.EndsWith(" reply: EINVAL", StringComparison.Ordinal));
        accesses.Should().Equal("0\t0x0000000000000100\t\t0", "1\t0x0000000000000100\t0x0000000000000000\t0", "0\t0x0000000000000ffe\t\t0");
        replies.Should().HaveCountGreaterThan(5).And.OnlyHaveUniqueItems();
        malformed.Should().BeEmpty();
    }

    [TsharkFact]
    public async Task Tshark_marks_what_is_malformed()
    {
        byte[][] messages =
        [
            RawClient.Message(1, Command.RegionRead, new byte[3]),
            RawClient.Message(2, Command.RegionRead, RawClient.Bytes(new RegionAccess(ulong.MaxValue, uint.MaxValue, uint.MaxValue))),
            RawClient.Message(3, Command.RegionWriteMulti, [.. RawClient.Bytes(ulong.MaxValue), 1, 2, 3]),
            RawClient.Message(4, (Command)999, new byte[3]),
            [.. RawClient.Bytes(new MessageHeader(5, Command.DmaMap, 7, MessageFlags.Command, 0)), .. new byte[DmaMap.WireSize]],
            RawClient.Message(6, Command.Version, []),
        ];
        using (PcapngWriter writer = new(Capture, DateTimeOffset.UnixEpoch))
        {
            foreach (byte[] message in messages)
                writer.Message(new TracedMessage { Client = 1, Time = default, Way = Way.ToServer, IsWhole = true, Bytes = message, Fds = [] });
            writer.Message(new TracedMessage { Client = 1, Time = default, Way = Way.ToServer, IsWhole = false, Bytes = [1, 2, 3], Fds = [] });
        }

        (await Tshark.Fields(Capture, "vfio_user", "vfio_user.id", "_ws.expert.message")).Should().Equal(
            "1\tThe payload is shorter than its structure",
            "2\t",
            "3\tThe payload is shorter than its structure",
            "4\t",
            "5\tThe header has another size than the message",
            "6\tThe payload is shorter than its structure",
            "\tBytes that are no whole message");
    }

    [TsharkFact]
    public async Task Tshark_names_registers_and_fields()
    {
        using (Traced traced = new(new NamedCard(), new VfioUserServerOptions { RegisterMap = true }, "--names", "--pcapng", Capture))
        {
            using (VfioUserClient client = traced.Connect())
            {
                client.WriteRegion(0, 0, [0x81, 3, 0, 0]);
                client.ReadRegion(0, 0, new byte[4]);
                client.ReadRegion(0, 1, new byte[1]);
                client.ReadRegion(0, 8, new byte[8]);
                client.ReadRegion(0, 0x90, new byte[4]); // without a name
                client.WriteRegion(7, 4, [6, 0]);
                client.Call(Command.RegionWriteMulti, [.. RawClient.Bytes(2ul), .. RawClient.Bytes(new RegionAccess(0, 0, 4)), .. RawClient.Bytes(0x41ul),
                    .. RawClient.Bytes(new RegionAccess(0x40, 0, 8)), .. RawClient.Bytes(0x1000ul)]).Dispose();
            }
            traced.LineWith("disconnected");
            traced.Stop().Wait();
        }

        string[] accesses = await Tshark.Fields(Capture, "vfio_user.command == 9 || vfio_user.command == 10 || vfio_user.command == 15", "vfio_user.type",
            "vfio_user.register", "vfio_user.register.fields");
        string[] written = await Tshark.Fields(Capture, "vfio_user.register.fields contains \"Gbps1\" && vfio_user.command == 10", "_ws.col.Info");

        accesses.Should().Equal(
            "0\tCTRL\tEN SPEED=Gbps1 COUNT=3",
            "1\tCTRL\t",
            "0\tCTRL\t",
            "1\tCTRL\tEN SPEED=Gbps1 COUNT=3",
            "0\tCTRL+1\t",
            "1\tCTRL+1\t",
            "0\tSTATUS ICR\t",
            "1\tSTATUS ICR\t",
            "0\t\t",
            "1\t\t",
            "0\tCommand\tMemorySpace BusMaster",
            "1\tCommand\t",
            "0\tCTRL,RX.BASE\tEN SPEED=Mbps100",
            "1\t\t");
        written.Should().ContainSingle().Which.Should().EndWith(" bar0+0x0, 4 bytes = 0x00000381 CTRL (EN SPEED=Gbps1 COUNT=3)");
    }

    [Fact]
    public void Many_names_take_several_frames()
    {
        TraceNames names = new();
        MappedRegister[] registers = [.. Enumerable.Range(0, 20_000).Select(i => new MappedRegister($"REGISTER_{i:d8}", 0, (ulong)i * 4, 4, "rw", null, 0, 0, 0, 0, null))];
        names.ReadOnce(() => new RegisterNames(new MapDocument(RegisterMap.Version, registers, 0)));
        using (PcapngWriter writer = new(Capture, DateTimeOffset.UnixEpoch, names))
            writer.Connected(1, default);

        (ulong, int Length, byte[] Bytes)[] frames = Frames(Capture);

        frames[..^1].Should().HaveCountGreaterThan(1).And.OnlyContain(frame => frame.Length == frame.Bytes.Length && frame.Bytes[1] == 5);
        string.Concat(frames[..^1].Select(frame => Encoding.UTF8.GetString(frame.Bytes.AsSpan(PcapngWriter.FrameHeaderSize)))).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Should().HaveCount(registers.Length).And.HaveElementAt(19_999, "0\t79996\t4\tREGISTER_00019999");
    }

    [Fact]
    public void The_dissector_is_printed_without_a_server() => ToolRun.Of("trace", "--dissector").Out.Should().Contain("wtap.USER0");

    // what an Engine and its client say
    private static void Trace(params string[] options)
    {
        using Traced traced = new(new Engine(), options);
        using (VfioUserClient client = traced.Connect(TwinSocketPolicy.Require, new Memory()))
        using (SharedMemory memory = SharedMemory.Create(8192))
        {
            client.MapDma(Memory.Start, 4096);
            client.MapDma(0x20000, 8192, memory.File);
            client.WriteRegion(0, Engine.Address, RawClient.Bytes(Memory.Start));
            client.WriteRegion(0, Engine.Length, RawClient.Bytes(4u));
            client.WriteRegion(0, Engine.Doorbell, RawClient.Bytes(1u));
            client.ReadRegion(0, 0x100, new byte[4]);
            FluentActions.Invoking(() => client.ReadRegion(0, 0xFFE, new byte[4])).Should().Throw<VfioUserException>();
        }
        traced.LineWith("disconnected");
        traced.Stop().Wait();
    }

    // the Enhanced Packets of a file, and that all its blocks are whole
    private static (ulong Time, int Length, byte[] Bytes)[] Frames(string file)
    {
        List<(ulong, int, byte[])> frames = [];
        ReadOnlySpan<byte> rest = File.ReadAllBytes(file);
        BinaryPrimitives.ReadUInt32LittleEndian(rest).Should().Be(0x0A0D0D0A);
        while (!rest.IsEmpty)
        {
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            int size = BinaryPrimitives.ReadInt32LittleEndian(rest[4..]);
            (size % 4).Should().Be(0);
            BinaryPrimitives.ReadInt32LittleEndian(rest[(size - 4)..]).Should().Be(size);
            if (type == 6)
            {
                ulong time = (ulong)BinaryPrimitives.ReadUInt32LittleEndian(rest[12..]) << 32 | BinaryPrimitives.ReadUInt32LittleEndian(rest[16..]);
                int captured = BinaryPrimitives.ReadInt32LittleEndian(rest[20..]);
                frames.Add((time, BinaryPrimitives.ReadInt32LittleEndian(rest[24..]), rest.Slice(28, captured).ToArray()));
            }
            rest = rest[size..];
        }
        return [.. frames];
    }
}
