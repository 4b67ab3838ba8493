using System.Text.Json;
using VfioUser.Client;
using VfioUser.Tool.Tests.Tracing;

namespace VfioUser.Tool.Tests.Registers;

/// <summary>Traces that name registers.</summary>
public class NamedTraceTests
{
    private static readonly VfioUserServerOptions WithMap = new() { RegisterMap = true };

    [Fact]
    public void Lines_name_the_register_and_its_fields()
    {
        using Traced traced = new(new NamedCard(), WithMap, "--names");
        using VfioUserClient client = traced.Connect();
        byte[] read = new byte[4];
        client.WriteRegion(0, 0, [0x81, 3, 0, 0]);
        client.ReadRegion(0, 0, read);

        traced.LineWith("→ RegionWrite").Should().EndWith("region bar0, offset 0x0, count 4, register CTRL, value 0x381, fields EN SPEED=Gbps1 COUNT=3");
        traced.LineWith("→ RegionRead").Should().EndWith("region bar0, offset 0x0, count 4, register CTRL");
        traced.LineWith("← RegionRead").Should().EndWith("register CTRL, value 0x381, fields EN SPEED=Gbps1 COUNT=3");
    }

    [Theory]
    [InlineData(0u, 1, 1, "count 1, register CTRL+1, value 0x0")]
    [InlineData(0u, 8, 8, "count 8, register STATUS ICR, value 0x0")]
    [InlineData(0u, 0x40, 8, "count 8, register RX.BASE, value 0x0")]
    [InlineData(0u, 0x44, 4, "count 4, register RX.BASE+4, value 0x0")]
    [InlineData(0u, 0x90, 4, "count 4, value 0x0")] // without a name
    [InlineData(0u, 0x200, 4, "count 4, value 0x0")]
    [InlineData(7u, 0x40, 1, "count 1, register VND.TEST, value 0x0")]
    public void Part_of_a_register_and_several_registers_are_named(uint region, ulong offset, int count, string end)
    {
        using Traced traced = new(new NamedCard(), WithMap, "--names");
        using VfioUserClient client = traced.Connect();

        client.ReadRegion(region, offset, new byte[count]);

        traced.LineWith("← RegionRead").Should().EndWith(end);
    }

    [Fact]
    public void Objects_have_name_and_fields()
    {
        using Traced traced = new(new NamedCard(), WithMap, "--names", "--json");
        using VfioUserClient client = traced.Connect();
        client.WriteRegion(0, 0, [0x41, 0, 0, 0]);

        using JsonDocument line = JsonDocument.Parse(traced.LineWith("RegionWrite"));

        JsonElement fields = line.RootElement.GetProperty("fields");
        fields.GetProperty("register").GetString().Should().Be("CTRL");
        fields.GetProperty("fields").GetString().Should().Be("EN SPEED=Mbps100");
    }

    [Fact]
    public void Server_without_names_is_traced_without_them_and_reported_once()
    {
        using Traced traced = new(new NamedCard(), "--names");
        for (int i = 0; i < 2; i++)
        {
            using VfioUserClient client = traced.Connect();
            client.WriteRegion(0, 0, [1, 0, 0, 0]);
            traced.LineWith("→ RegionWrite").Should().EndWith("region bar0, offset 0x0, count 4, value 0x1");
        }

        traced.Error.Should().StartWith("vfio-user: The server does not provide the names").And.Match(error => error.Count(letter => letter == '\n') == 1);
    }

    [Fact]
    public void Registers_have_no_names_unless_requested()
    {
        using Traced traced = new(new NamedCard(), WithMap);
        using VfioUserClient client = traced.Connect();

        client.WriteRegion(0, 0, [1, 0, 0, 0]);

        traced.LineWith("→ RegionWrite").Should().EndWith("count 4, value 0x1");
    }

    [Fact]
    public void Names_cannot_be_requested_for_a_recording() =>
        ToolRun.Of("trace", "--read", "x", "--names").Error.Should().Contain("--names needs a server");
}
