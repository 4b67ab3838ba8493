using System.Net.Sockets;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests.Tracing;

public class TraceTests
{
    private const uint Bar0 = 0;
    private const uint Bar2 = 2;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(2);

    [Fact]
    public void Mapped_memory_and_interrupts_pass_as_descriptors()
    {
        using Traced traced = new(new Engine());
        using SharedMemory memory = SharedMemory.Create(4096);
        using EventFd interrupt = new();
        using VfioUserClient client = traced.Connect();
        client.MapDma(Memory.Start, 4096, memory.File);
        client.SetIrqEventFds((uint)IrqType.MsiX, 0, interrupt.Handle);
        memory.Slice(0, 4).Fill(0x11);

        Ring(client, 4);

        interrupt.Wait(Timeout).Should().BeTrue();
        memory.Slice(0, 5).ToArray().Should().Equal(0xEE, 0xEE, 0xEE, 0xEE, 0x00);
        traced.LineWith("DmaMap").Should().Contain("→ DmaMap #").And.EndWith("address 0x10000, size 0x1000, offset 0x0, flags Readable|Writeable, 1 fd [memory of 4096 bytes]");
        traced.LineWith("DmaMap").Should().Contain("← DmaMap #").And.Contain(" reply after ").And.EndWith(" ms");
        traced.LineWith("DeviceSetIrqs").Should().EndWith("irq msix, flags DataEventFd|ActionTrigger, start 0, count 1, 1 fd [eventfd]");
        traced.LineWith("RegionWrite").Should().EndWith("region bar0, offset 0x0, count 8, value 0x10000");
    }

    [Theory]
    [InlineData(TwinSocketPolicy.Require, "twin ")]
    [InlineData(TwinSocketPolicy.Never, "")]
    public void Memory_by_message_passes_on_the_socket_that_it_belongs_to(TwinSocketPolicy twin, string socket)
    {
        using Traced traced = new(new Engine());
        Memory memory = new();
        memory.Bytes.AsSpan(0, 4).Fill(0x0F);
        using VfioUserClient client = traced.Connect(twin, memory);
        client.MapDma(Memory.Start, 4096);

        Ring(client, 4);

        client.HasTwinSocket.Should().Be(twin == TwinSocketPolicy.Require);
        memory.Bytes.AsSpan(0, 5).ToArray().Should().Equal(0xF0, 0xF0, 0xF0, 0xF0, 0x00);
        traced.LineWith("DmaRead").Should().Contain($"  {socket}← DmaRead #").And.EndWith("address 0x10000, count 4");
        traced.LineWith("DmaRead").Should().Contain($"  {socket}→ DmaRead #").And.EndWith("address 0x10000, count 4, value 0xf0f0f0f");
        traced.LineWith("DmaWrite").Should().EndWith("address 0x10000, count 4, value 0xf0f0f0f0");
    }

    [Fact]
    public void A_megabyte_passes_in_one_message()
    {
        using Traced traced = new(new Engine());
        using VfioUserClient client = traced.Connect();
        byte[] sent = new byte[Engine.RamSize];
        new Random(1).NextBytes(sent);
        byte[] back = new byte[sent.Length];

        client.WriteRegion(Bar2, 0, sent);
        client.ReadRegion(Bar2, 0, back);

        back.Should().Equal(sent);
        traced.LineWith("RegionWrite").Should().Contain($"count 1048576, data {Convert.ToHexStringLower(sent[..16])}...");
    }

    [Fact]
    public void Pipelined_reads_come_back_in_order()
    {
        using Traced traced = new(new Engine());
        using RawClient client = new(traced.Socket);
        byte[] reads = [.. Enumerable.Range(2, 32).SelectMany(id => Read((ushort)id))];

        client.Send(reads);

        Enumerable.Range(2, 32).Select(_ => (int)client.Receive()!.Value.MessageId).Should().Equal(Enumerable.Range(2, 32));
    }

    [Fact]
    public void A_descriptor_stays_with_its_message_when_that_is_received_in_pieces()
    {
        Everything device = new();
        using Traced traced = new(device);
        using EventFd interrupt = new();
        using RawClient client = new(traced.Socket);
        IrqSet set = new(IrqSet.WireSize, IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, (uint)IrqType.MsiX, 1, 1);
        byte[] message = RawClient.Message(3, Command.DeviceSetIrqs, RawClient.Bytes(set));

        client.Send(Read(2));
        client.Send(message.AsSpan(0, 7), interrupt.Handle);
        client.Send(message.AsSpan(7, 20));
        client.Send([.. message[27..], .. Read(4)]);

        client.Receive()!.Value.MessageId.Should().Be(2);
        client.Receive()!.Value.Should().Match<MessageHeader>(reply => reply.MessageId == 3 && !reply.IsError);
        client.Receive()!.Value.MessageId.Should().Be(4);
        device.Interrupt();
        interrupt.Wait(Timeout).Should().BeTrue();
    }

    [Fact]
    public void Refusals_are_printed_by_name_and_posted_writes_as_such()
    {
        using Traced traced = new(new Engine());
        using VfioUserClient client = traced.Connect();

        client.PostRegionWrite(Bar0, Engine.Length, [1, 0, 0, 0]);
        FluentActions.Invoking(() => client.ReadRegion(Bar0, 0x1000, new byte[4])).Should().Throw<VfioUserException>();

        traced.LineWith("RegionWrite").Should().Contain(" posted: region bar0, offset 0x8, count 4, value 0x1");
        traced.LineWith("refused").Should().Contain("← RegionRead #").And.Contain("refused with EINVAL after ");
    }

    [Fact]
    public void A_header_with_size_0_is_forwarded_and_shown()
    {
        using Traced traced = new(new Engine());
        using RawClient client = new(traced.Socket);
        byte[] broken = RawClient.Message(2, Command.RegionRead, []);
        WireFormat.Write(broken.AsSpan(4), 4u);

        client.Send(broken);

        // the server's answer to it, then its end
        while (client.Receive() is { } header)
            header.IsError.Should().BeTrue();
        traced.LineWith("MALFORMED").Should().Contain("→ ").And.Contain("16 bytes that are no whole message").And.Contain("[020009000400");
        traced.LineWith("disconnected").Should().Contain("client 1");
    }

    [Fact]
    public void A_header_with_a_huge_size_is_forwarded_at_once()
    {
        using Traced traced = new(new Engine());
        using RawClient client = new(traced.Socket);
        byte[] broken = RawClient.Message(2, Command.RegionRead, []);
        WireFormat.Write(broken.AsSpan(4), 1u << 30);

        client.Send(broken);

        while (client.Receive() is { } header)
            header.IsError.Should().BeTrue();
        traced.LineWith("disconnected").Should().Contain("client 1");
    }

    [Fact]
    public void An_inconsistent_message_is_forwarded_and_shown()
    {
        using Traced traced = new(new Engine());
        using RawClient client = new(traced.Socket);

        client.Send(RawClient.Message(2, Command.RegionRead, [1, 2, 3]));
        MessageHeader? short1 = client.Receive();
        client.Send(RawClient.Message(3, (Command)99, []));
        MessageHeader? unknown = client.Receive();

        short1!.Value.IsError.Should().BeTrue();
        unknown!.Value.IsError.Should().BeTrue();
        traced.LineWith("#2").Should().EndWith("MALFORMED: 3 bytes where RegionAccess has 16 [02000900130000000000000000000000010203]");
        traced.LineWith("#3").Should().Contain("→ 99 #3").And.Contain("MALFORMED: there is no such command");
    }

    [Fact]
    public void The_next_client_is_served_after_one_disconnected()
    {
        using Traced traced = new(new Engine());
        using (VfioUserClient first = traced.Connect(TwinSocketPolicy.Require, new Memory()))
            first.WriteRegion(Bar0, Engine.Length, [7, 0, 0, 0]);

        using VfioUserClient second = traced.Connect(TwinSocketPolicy.Require, new Memory());
        byte[] length = new byte[4];
        second.ReadRegion(Bar0, Engine.Length, length);

        length.Should().Equal(7, 0, 0, 0);
        traced.LineWith("client 1 disconnected");
        traced.LineWith("client 2 connected");
    }

    [Fact]
    public void A_second_client_gets_the_servers_reply()
    {
        using Traced traced = new(new Engine());
        using VfioUserClient first = traced.Connect();

        VfioUserException refused = FluentActions.Invoking(() => traced.Connect()).Should().Throw<VfioUserException>().Which;

        refused.Errno.Should().Be(Errno.EBUSY);
        refused.Reason.Should().StartWith("the device is in use by process");
        traced.LineWith("EBUSY").Should().Contain("client 2 ← Version").And.Contain(" after ");
        traced.LineWith("client 2 disconnected");
        first.WriteRegion(Bar0, Engine.Length, [7, 0, 0, 0]);
        traced.LineWith("RegionWrite").Should().Contain("  → RegionWrite", "it is alone again");
    }

    [Fact]
    public void A_client_that_shut_down_sending_still_gets_the_reply()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-tool-");
        string path = Path.Combine(folder.FullName, "slow.sock");
        using Socket listening = Listen(path);
        using Traced traced = new(path);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(traced.Socket));
        client.Send(Read(1));
        client.Shutdown(SocketShutdown.Send);
        byte[] heard = new byte[100];

        using (Socket server = listening.Accept())
        {
            while (server.Receive(heard) > 0)
            {
                // until the client's last word has arrived
            }
            server.Send(RawClient.Message(1, Command.RegionRead, [], MessageFlags.Reply));
        }

        client.Receive(heard).Should().Be(MessageHeader.WireSize);
        client.Receive(heard).Should().Be(0);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_server_that_disconnects_ends_its_client_and_the_next_one_is_accepted()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-tool-");
        string socket = Path.Combine(folder.FullName, "device.sock");
        VfioUserServer server = VfioUserServer.Bind(socket);
        Task serving = server.RunAsync(new Engine());
        using Traced traced = new(socket);
        using RawClient client = new(traced.Socket);

        server.Dispose();
        await serving.WaitAsync(Timeout);
        MessageHeader? end = client.Receive();
        using RawClient nobody = new(traced.Socket, negotiate: false);
        MessageHeader? turnedAway = nobody.Receive();
        using VfioUserServer again = VfioUserServer.Bind(socket);
        Task servingAgain = again.RunAsync(new Engine());
        using (RawClient next = new(traced.Socket))
        {
            next.Send(Read(2));
            next.Receive()!.Value.IsError.Should().BeFalse();
        }

        end.Should().BeNull();
        turnedAway.Should().BeNull();
        traced.Error.Should().Contain($"Cannot connect to '{socket}'");
        again.Dispose();
        await servingAgain.WaitAsync(Timeout);
        folder.Delete(recursive: true);
    }

    [Fact]
    public async Task A_server_that_does_not_read_blocks_its_client()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vfio-user-tool-");
        string path = Path.Combine(folder.FullName, "deaf.sock");
        using Socket deaf = Listen(path);
        using Traced traced = new(path, "--quiet");
        using RawClient client = new(traced.Socket, negotiate: false);
        byte[] write = RawClient.Message(2, Command.RegionWrite, new byte[1 << 20], MessageFlags.NoReply);
        int sent = 0;

        Thread sending = new(() =>
        {
            while (Volatile.Read(ref sent) < 64 && client.Send(write))
                Interlocked.Increment(ref sent);
        });
        sending.Start();
        sending.Join(TimeSpan.FromSeconds(2));

        sent.Should().BeLessThan(32, "what nobody takes is not kept");
        (await traced.Stop()).Should().Be(0);
        sending.Join(Timeout).Should().BeTrue();
        folder.Delete(recursive: true);
    }

    [Fact]
    public void No_descriptor_is_left_behind()
    {
        string name = $"left-{Guid.NewGuid():n}";
        using (Traced traced = new(new Engine()))
        {
            using SharedMemory memory = SharedMemory.Create(4096, name);
            using VfioUserClient client = traced.Connect();
            for (ulong i = 0; i < 10; i++)
                client.MapDma(Memory.Start + i * 4096, 4096, memory.File);
            client.UnmapAllDma();
        }

        IEnumerable<string?> open = Directory.GetFiles("/proc/self/fd").Select(fd => new FileInfo(fd).LinkTarget);
        open.Should().NotContain(target => target != null && target.Contains(name));
    }

    [Fact]
    public async Task Ctrl_c_ends_a_session_cleanly()
    {
        using Traced traced = new(new Engine());
        using RawClient client = new(traced.Socket);

        int exitCode = await traced.Stop();

        exitCode.Should().Be(0);
        client.Receive().Should().BeNull();
        traced.Error.Should().BeEmpty();
    }

    [Fact]
    public void Json_has_an_object_a_line()
    {
        using Traced traced = new(new Engine(), "--json");
        using (VfioUserClient client = traced.Connect(TwinSocketPolicy.Require, new Memory()))
        {
            client.MapDma(Memory.Start, 4096);
            Ring(client, 4);
            FluentActions.Invoking(() => client.ReadRegion(Bar0, 0x1000, new byte[4])).Should().Throw<VfioUserException>();
        }
        traced.LineWith("\"disconnected\"");

        List<JsonElement> lines = [.. traced.Lines.Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement version = lines.First(line => Is(line, "command", "Version") && Is(line, "kind", "reply"));
        version.GetProperty("fds")[0].GetProperty("kind").GetString().Should().Be("Socket");
        version.GetProperty("latency").GetDouble().Should().BeGreaterThan(0);
        JsonElement read = lines.First(line => Is(line, "command", "DmaRead") && Is(line, "kind", "command"));
        read.GetProperty("socket").GetString().Should().Be("twin");
        read.GetProperty("to").GetString().Should().Be("client");
        read.GetProperty("fields").GetProperty("address").GetUInt64().Should().Be(Memory.Start);
        lines.Should().ContainSingle(line => Is(line, "error", "EINVAL"));
    }

    [Theory]
    [InlineData("trace")]
    [InlineData("trace", "/tmp/a.sock")]
    [InlineData("trace", "/tmp/a.sock", "/tmp/b.sock", "--read", "/tmp/c")]
    [InlineData("trace", "/tmp/a.sock", "/tmp/b.sock", "--data", "-1")]
    public void Invalid_arguments_are_one_line_and_exit_code_2(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Trim().Should().StartWith("vfio-user: ").And.NotContain("\n");
    }

    [Fact]
    public void A_socket_that_is_in_use_is_one_clear_line()
    {
        using Served served = new(new Engine());

        ToolRun run = ToolRun.Of("trace", served.Socket, "/nowhere");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("is listening on");
    }

    private static Socket Listen(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        socket.Listen();
        return socket;
    }

    private static void Ring(VfioUserClient client, uint length)
    {
        client.WriteRegion(Bar0, Engine.Address, RawClient.Bytes(Memory.Start));
        client.WriteRegion(Bar0, Engine.Length, RawClient.Bytes(length));
        client.WriteRegion(Bar0, Engine.Doorbell, RawClient.Bytes(1u));
    }

    private static byte[] Read(ushort id) => RawClient.Message(id, Command.RegionRead, RawClient.Bytes(new RegionAccess(0, Bar0, 4)));

    private static bool Is(JsonElement line, string property, string value) => line.TryGetProperty(property, out JsonElement found) && found.ValueEquals(value);
}
