using System.Text.Json.Nodes;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Tests.Registers;

namespace VfioUser.Tool.Tests.Inspecting;

/// <summary><c>inspect</c>, beside a client that is attached.</summary>
public sealed class InspectTests : IDisposable
{
    private readonly string _address = $"@vfio-user-test-{Guid.NewGuid():N}";
    private readonly NamedCard _card = new();
    private readonly Served _served;
    private readonly VfioUserClient _client;

    public InspectTests()
    {
        _served = new Served(_card, new VfioUserServerOptions { InspectionPath = _address, Name = "card" });
        _client = VfioUserClient.Connect(_served.Socket, new VfioUserClientOptions { TwinSocket = TwinSocketPolicy.Prefer });
        _client.GetRegionInfo(0).Dispose(); // attached, and not just negotiated
    }

    public void Dispose()
    {
        _client.Dispose();
        _served.Dispose();
    }

    [Fact]
    public void The_server_and_its_client_are_shown()
    {
        ToolRun run = ToolRun.Of("inspect", _address);

        run.Should().BeEquivalentTo(new { ExitCode = 0, Error = "" });
        run.Out.Should().Contain("  name             card\n").And.Contain("  state            Attached\n")
            .And.Contain($"  process          {Environment.ProcessId}, user ").And.Contain("  version          0.1\n").And.Contain("  twin socket      yes\n")
            .And.Contain("  type             NamedCard\n").And.Contain("  id               1234:5679, class 120000\n");
    }

    [Fact]
    public void Registers_are_a_table_with_their_stored_values()
    {
        _card.Control.Value = 0x81;

        ToolRun run = ToolRun.Of("inspect", _address, "registers");

        run.ExitCode.Should().Be(0);
        string[] lines = run.Out.Split('\n');
        lines[0].Should().MatchRegex("^REGION  OFFSET  REGISTER  ACCESS +VALUE$");
        lines[1].Should().MatchRegex(@"^bar0       0x0  CTRL .* 0x00000081 \(EN SPEED=Gbps1\)$");
        lines[2].Should().MatchRegex("^bar0       0x8  STATUS    RO  +0x0000$");
    }

    [Fact]
    public void Dma_regions_interrupts_refusals_and_counters_are_tables()
    {
        _client.MapDma(new DmaMap(DmaMap.WireSize, DmaMapFlags.Readable, 0, 0x10000, 0x2000));
        Action unmap = () => _client.UnmapDma(0x10000, 0x1000);
        unmap.Should().Throw<VfioUserException>();

        ToolRun.Of("inspect", _address, "dma").Out.Should().Be("""
            ADDRESS  LENGTH  ACCESS  BACKING
            0x10000  0x2000  read    message

            """);
        ToolRun.Of("inspect", _address, "irqs").Out.Should().Be("none\n");
        string[] refusal = ToolRun.Of("inspect", _address, "refusals").Out.Split('\n');
        refusal[1].Should().Match("     1  20*  dma_unmap  *#*  EINVAL  0x1000 bytes at 0x10000 would cut a region that is mapped");
        ToolRun.Of("inspect", _address, "counters").Out.Should().Contain("vfio_user.sessions ").And.Contain("vfio_user.command=dma_map");
    }

    [Fact]
    public void Json_has_the_same()
    {
        _card.Control.Value = 0x81;

        JsonNode json = JsonNode.Parse(ToolRun.Of("inspect", _address, "registers", "--json").Out)!;

        json["registers"]![0]!["name"]!.GetValue<string>().Should().Be("CTRL");
        json["registers"]![0]!["value"]!.GetValue<int>().Should().Be(0x81);
    }

    [Fact]
    public void The_socket_for_clients_is_not_taken_for_that_of_inspectors()
    {
        _client.Dispose();

        ToolRun run = ToolRun.Of("inspect", _served.Socket, "--server-timeout", "1");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: The server");
    }

    [Fact]
    public void An_unknown_topic_is_a_usage_error() => ToolRun.Of("inspect", _address, "secrets").ExitCode.Should().Be(2);
}
