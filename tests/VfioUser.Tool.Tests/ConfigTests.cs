using System.Text.RegularExpressions;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class ConfigTests
{
    [Fact]
    public void Configuration_space_is_a_slot_and_lines_of_sixteen_bytes()
    {
        using Served served = new(new Gpio.GpioCard());

        ToolRun run = served.Run("config");

        string[] lines = run.Out.Split('\n');
        lines[0].Should().StartWith("00:00.0 ");
        lines[1].Should().StartWith("00: 4f 49 c8 0d ");
        lines[16].Should().StartWith("f0: ");
        lines[1..17].Should().OnlyContain(line => Dump().IsMatch(line));
        lines[^2..].Should().OnlyContain(line => line.Length == 0, "an empty line ends a device");
    }

    [Theory]
    [InlineData("info")]
    [InlineData("config")]
    [InlineData("read", "config", "1", "--length", "64")]
    [InlineData("check", "--rule", "config-id")]
    [InlineData("write", "config", "0x41", "--input", "FILE")]
    public void Configuration_space_is_accessed_as_by_a_bus(string command, params string[] more)
    {
        List<(ulong Offset, uint Count)> accesses = [];
        using FakeServer server = new((header, payload) => Note(header, payload, accesses));
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, new byte[64]);

        ToolRun run = ToolRun.Of([command, server.Path, .. more.Select(arg => arg is "FILE" ? file : arg)]);

        File.Delete(file);
        run.ExitCode.Should().Be(0);
        accesses.Should().NotBeEmpty().And.OnlyContain(access => access.Count <= 4 && access.Offset % 4 + access.Count <= 4, "usbvfiod dies of more than 8");
    }

    [Fact]
    public void A_register_is_read_in_one_access_of_the_requested_width()
    {
        List<(ulong Offset, uint Count)> accesses = [];
        using FakeServer server = new((header, payload) => Note(header, payload, accesses));

        ToolRun.Of("read", server.Path, "config", "0x10", "--width", "8").ExitCode.Should().Be(0);

        accesses.Should().Equal((0x10, 8));
    }

    [LspciFact]
    [Trait("Category", "External")]
    public async Task Lspci_reads_the_dump_and_decodes_the_capabilities()
    {
        using Served served = new(new Everything());

        string shown = await Lspci.Run(served.Run("config").Out, "-nvv");

        shown.Should().StartWith("00:00.0 1200: 1234:5678").And.Contain("MSI-X: Enable- Count=4 Masked-");
    }

    [LspciFact]
    [Trait("Category", "External")]
    public async Task Lspci_finds_the_name_of_the_gpio_card()
    {
        using Served served = new(new Gpio.GpioCard());

        string shown = await Lspci.Run(served.Run("config").Out, "-vv");

        shown.Should().Contain("ACCES I/O Products, Inc. PCI-IDIO-16").And.Contain("Interrupt: pin A");
    }

    [LspciFact]
    [Trait("Category", "External")]
    public async Task Lspci_decodes_the_extended_capabilities()
    {
        using Served served = new(new Expressive());

        string shown = await Lspci.Run(served.Run("config").Out, "-nvv");

        shown.Should().Contain("Speed 16GT/s, Width x8")
            .And.Contain("Advanced Error Reporting").And.MatchRegex("UESta:.*CmpltTO\\+").And.Contain("First Error Pointer: 0e")
            .And.Contain("HeaderLog: 00000001 0100000f fee00000 00000000")
            .And.Contain("Access Control Services").And.Contain("Address Translation Service (ATS)")
            .And.Contain("Latency Tolerance Reporting")
            .And.Contain("Physical Resizable BAR").And.MatchRegex("BAR 0: current size: 4MB, supported: 4MB 8MB 16MB")
            .And.Contain("Single Root I/O Virtualization (SR-IOV)").And.Contain("Total VFs: 4").And.Contain("VF offset: 1, stride: 1, Device ID: 00f2");
    }

    private static byte[]? Note(in MessageHeader header, byte[] payload, List<(ulong Offset, uint Count)> accesses)
    {
        if (header.Command is Command.RegionRead or Command.RegionWrite && WireFormat.TryRead(payload, out RegionAccess access))
            accesses.Add((access.Offset, access.Count));
        return null;
    }

    [GeneratedRegex("^[0-9a-f]{2}:( [0-9a-f]{2}){16}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Dump();
}
