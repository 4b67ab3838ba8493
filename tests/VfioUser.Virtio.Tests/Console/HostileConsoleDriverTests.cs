using System.IO.Pipelines;

namespace VfioUser.Virtio.Tests;

/// <summary>Drivers of a console that lie: they get no answer, or a line in the log, and the ports go on.</summary>
public sealed class HostileConsoleDriverTests
{
    [Fact]
    public void Short_control_message_is_an_error_of_the_driver() => ShouldFail(
        driver => driver.Driver.Queues[3].Request([1, 2, 3], 0), "a control message has 3 bytes");

    [Fact]
    public void Control_message_about_no_port_is_an_error_of_the_driver() => ShouldFail(
        driver => driver.Tell(2, 3, 1), "a control message is about the port 2 of 2");

    [Fact]
    public void Control_message_that_is_not_in_memory_is_an_error_of_the_driver() => ShouldFail(
        driver =>
        {
            driver.Driver.Queues[3].Add(new VirtioPart(new Iova(0xDEAD_0000_0000), 8, writable: false));
            driver.Driver.Queues[3].Notify();
            driver.Driver.Queues[3].Take();
        },
        "a control message has 8 bytes");

    [Fact]
    public void Buffer_of_gigabytes_is_not_read() => ShouldFail(
        driver =>
        {
            driver.Driver.Queues[1].Add(new VirtioPart(driver.Driver.Guest.Memory.Address, 3L << 30, writable: false));
            driver.Driver.Queues[1].Notify();
            driver.Driver.Queues[1].Take();
        },
        "it sends 3221225472 bytes at once to the port 0");

    [Fact]
    public void Messages_that_have_no_room_are_lost_and_nothing_else()
    {
        using VirtioConsole console = new(new() { Ports = ["echo"] });
        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest);
        for (int i = 0; i < 2; i++)
            driver.Queues[2].Add(new VirtioPart(guest.Memory.Allocate(8), 7, writable: true));
        driver.Queues[2].Notify();

        driver.Queues[3].Request([0, 0, 0, 0, 0, 0, 1, 0], 0);

        driver.Queues[2].Take().Written.Should().Be(0);
        driver.Queues[2].Take().Written.Should().Be(0);
        new ConsoleDriver(guest).TakePorts();
    }

    [Fact]
    public void Driver_that_asks_again_and_again_is_answered_once()
    {
        using VirtioConsole console = new(new() { Ports = ["echo"] });
        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest);
        for (int i = 0; i < 1000; i++)
            driver.Queues[3].Request([0, 0, 0, 0, 0, 0, 1, 0], 0);

        ReceiveQueue control = new(driver, 2);

        control.Receive().Should().Equal(0, 0, 0, 0, 1, 0, 1, 0);
        control.Receive().Should().Equal(1, 0, 0, 0, 1, 0, 1, 0);
        driver.Queues[3].Request([0, 0, 0, 0, 3, 0, 1, 0], 0);
        control.Receive()[4].Should().Be(4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Random_messages_break_nothing(int seed)
    {
        Random random = new(seed);
        using VirtioConsole console = new(new() { Ports = ["echo"] });
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        byte[] message = new byte[12];
        for (int i = 0; i < 2000; i++)
        {
            random.NextBytes(message);
            message[0] %= 4;
            message.AsSpan(1, 3).Clear();
            message[4] %= 9;
            message[5] = 0;
            driver.Driver.Queues[3].Request(message.AsSpan(0, random.Next(1, 12)), 0);
            driver.Driver.WriteConfig(random.Next(12), (byte)i);
        }

        driver.Driver.Start();
        driver = new ConsoleDriver(guest);
        driver.TakePorts();
        driver.Send(1, [5]);
        (await console["echo"].Input.ReadAtLeastAsync(1)).Buffer.Length.Should().Be(1);
    }

    private static void ShouldFail(Action<ConsoleDriver> lie, string reason)
    {
        using VirtioConsole console = new(new() { Ports = ["echo"] });
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();

        lie(driver);

        driver.Driver.ReadNeedsReset().Should().BeTrue();
        guest.Log.Should().Contain(line => line.Contains(reason, StringComparison.Ordinal));
        new ConsoleDriver(guest).TakePorts();
    }
}
