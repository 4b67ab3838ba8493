using System.Text.Json;

namespace VfioUser.Tool.Tests;

public class InfoTests
{
    [Fact]
    public void A_device_is_shown_with_its_regions_and_interrupts()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("info");

        run.Error.Should().BeEmpty();
        run.ExitCode.Should().Be(0);
        run.Out.Should().Contain("version             0.1").And.Contain("1234:5678").And.Contain("twin_socket         yes");
        run.Out.Should().Contain("0  bar0       0x00001000  read write, 32-bit memory\n");
        run.Out.Should().Contain("sparse mmap v1\n         0x00001000 + 0x1000");
        run.Out.Should().Contain("2  msix           4  eventfd");
        run.Out.Should().NotContain("\e", "colours are for terminals");
    }

    [Fact]
    public void Absent_regions_and_interrupts_are_none()
    {
        using Served served = new(new NullDevice());

        served.Run("info").Out.Should().EndWith("Interrupts\n  none\n");
    }

    [Fact]
    public void Json_has_the_same_content()
    {
        using Served served = new(new Everything());

        using JsonDocument json = JsonDocument.Parse(served.Run("info", "--json").Out);

        JsonElement bar2 = json.RootElement.GetProperty("regions").EnumerateArray().Single(region => region.GetProperty("name").ValueEquals("bar2"));
        bar2.GetProperty("size").GetUInt64().Should().Be(0x4000);
        bar2.GetProperty("kind").GetString().Should().Be("64-bit memory");
        bar2.GetProperty("hasDescriptor").GetBoolean().Should().BeTrue();
        JsonElement sparse = bar2.GetProperty("capabilities").EnumerateArray().Single();
        sparse.GetProperty("areas")[0].GetProperty("offset").GetUInt64().Should().Be(0x1000);
        json.RootElement.GetProperty("negotiation").GetProperty("version").GetString().Should().Be("0.1");
        json.RootElement.GetProperty("pci").GetProperty("vendor").GetString().Should().Be("1234");
    }

    [Fact]
    public void The_gpio_card_has_an_io_bar_and_intx()
    {
        using Served served = new(new Gpio.GpioCard());

        ToolRun run = served.Run("info");

        run.Out.Should().Contain("494f:0dc8").And.MatchRegex("2  bar2       0x00000100  .*, I/O\n").And.Contain("0  intx           1");
    }
}
