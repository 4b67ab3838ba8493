namespace VfioUser.Tool.Tests;

public class WaitingTests
{
    [Fact]
    public async Task Interrupts_are_printed_with_their_vector_and_counted()
    {
        Everything device = new();
        using Served served = new(device);
        using Lines tool = new("irq", served.Socket, "msix", "--count", "2");
        tool.Next().Should().Be("waiting");

        device.Interrupt();
        string first = tool.Next();
        device.Interrupt();
        string second = tool.Next();

        first.Should().EndWith("vector 1  x1");
        second.Should().EndWith("vector 1  x1");
        tool.Next().Should().Be("2 interrupts");
        (await tool.ExitCode()).Should().Be(0);
    }

    [Fact]
    public async Task An_automasked_type_is_unmasked_and_signals_again()
    {
        Pin device = new();
        using Served served = new(device);
        using Lines tool = new("irq", served.Socket, "intx", "--unmask", "--count", "3");
        tool.Next().Should().Be("waiting");

        device.Intx.Assert(); // and it stays: each unmask brings the next one

        for (int round = 0; round < 3; round++)
            tool.Next().Should().EndWith("vector 0  x1");
        tool.Next().Should().Be("3 interrupts");
        (await tool.ExitCode()).Should().Be(0);
    }

    [Fact]
    public void Vectors_that_cannot_be_masked_cannot_be_unmasked()
    {
        using FakeServer server = new((header, payload) => header.Command == Protocol.Command.DeviceGetIrqInfo
            ? FakeServer.Reply(header, FakeServer.Bytes(new Protocol.IrqInfo(16, Protocol.IrqInfoFlags.EventFd, 1, 1)))
            : header.Command == Protocol.Command.DeviceSetIrqs ? FakeServer.Reply(header, []) : null);

        ToolRun run = ToolRun.Of("irq", server.Path, "msi", "--unmask", "--count", "1");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("msi of this device cannot be unmasked");
    }

    [Fact]
    public void Missing_interrupts_are_a_failure_after_the_timeout()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("irq", "msix", "--count", "1", "--timeout", "0.01");

        run.Out.Should().EndWith("0 interrupts\n");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public void A_watch_without_changes_ends_after_the_timeout()
    {
        using Served served = new(new Everything());

        ToolRun forever = served.Run("watch", "bar0", "--length", "4", "--timeout", "0.01");
        ToolRun counted = served.Run("watch", "bar0", "--length", "4", "--timeout", "0.01", "--count", "1");

        forever.ExitCode.Should().Be(0);
        counted.ExitCode.Should().Be(1);
    }

    [Fact]
    public void A_type_without_vectors_cannot_be_waited_for()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("irq", "msi");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: The device has no msi; the command 'info' lists its interrupts.\n");
    }

    [Fact]
    public async Task Ctrl_c_ends_the_waiting_with_the_count()
    {
        using Served served = new(new Everything());
        using Lines tool = new("irq", served.Socket, "msix");
        tool.Next();

        tool.Stop();

        tool.Next().Should().Be("0 interrupts");
        (await tool.ExitCode()).Should().Be(0);
        tool.Error.Should().BeEmpty();
    }

    [Theory]
    [InlineData("irq", "msix")]
    [InlineData("watch", "bar0")]
    public async Task Ctrl_c_before_the_count_is_reached_is_no_success(string command, string what)
    {
        using Served served = new(new Everything());
        using Lines tool = new(command, served.Socket, what, "--count", "1");
        tool.Next();

        tool.Stop();

        (await tool.ExitCode()).Should().Be(130);
        tool.Error.Should().BeEmpty();
    }

    [Fact]
    public async Task Changes_of_a_region_are_printed_until_ctrl_c()
    {
        Everything device = new();
        device[0x22] = 0x11;
        using Served served = new(device);
        using Lines tool = new("watch", served.Socket, "bar0", "--offset", "0x20", "--length", "4", "--interval", "0.001");
        tool.Next().Should().Be("watching 4 bytes of bar0");

        device[0x22] = 0x5A;
        string changed = tool.Next();
        tool.Stop();

        changed.Should().EndWith("0x0022  11 -> 5a");
        (await tool.ExitCode()).Should().Be(0);
    }

    /// <summary>A device with an interrupt pin.</summary>
    private sealed class Pin : PciDevice
    {
        public Pin()
            : base(new PciId(0x1234, 0x0001), PciClass.Unclassified) => Intx = AddIntx();

        public Intx Intx { get; }
    }
}
