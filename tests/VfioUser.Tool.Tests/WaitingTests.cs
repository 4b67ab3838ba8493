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
    public void Interrupts_that_do_not_come_in_time_are_a_failure()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("irq", "msix", "--count", "1", "--timeout", "0.01");

        run.Out.Should().EndWith("0 interrupts\n");
        run.ExitCode.Should().Be(1);
    }

    [Fact]
    public void A_type_without_vectors_cannot_be_waited_for()
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run("irq", "msi");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("0 vectors of msi");
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
}
