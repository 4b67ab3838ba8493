using System.IO.Pipelines;
using System.Text;

namespace VfioUser.Virtio.Tests;

public sealed class ConsoleTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static TheoryData<Layout> AllLayouts => Layouts.All;

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public async Task Bytes_go_both_ways_on_each_port(Layout layout)
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest, layout.Options());
        driver.TakePorts();

        for (int port = 0; port < 2; port++)
        {
            byte[] sent = Encoding.ASCII.GetBytes($"from the guest to port {port}");
            driver.Send(port, sent);
            (await Read(console.Ports[port], sent.Length)).Should().Equal(sent);

            byte[] answer = [.. Enumerable.Range(0, 1000).Select(i => (byte)(i * 7 + port))];
            await console.Ports[port].Output.WriteAsync(answer);
            driver.Receive(port, answer.Length).Should().Equal(answer);
        }
    }

    [Fact]
    public async Task Driver_without_ports_has_the_console()
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest, new VirtioDriverOptions { Queues = 2, Features = 1ul << 32 });
        ReceiveQueue receive = new(driver, 0);

        driver.Queues[1].Request("login"u8, 0);
        await console.Terminal.Output.WriteAsync("hello"u8.ToArray());

        console.Terminal.IsGuestOpen.Should().BeTrue();
        (await Read(console.Terminal, 5)).Should().Equal("login"u8.ToArray());
        receive.Receive(5).Should().Equal("hello"u8.ToArray());
    }

    [Fact]
    public void Driver_is_told_of_a_new_size()
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();

        console.Resize(132, 43);

        driver.Hear().Should().Be("0.5=1 84002B00");
        driver.Driver.Interrupts[0].WaitFor(1);
        driver.Driver.ReadConfig<ConsoleConfig>().Should().Be(new ConsoleConfig { Columns = 132, Rows = 43, Ports = 2 });
    }

    [Fact]
    public void Programs_that_open_and_close_a_port_are_seen()
    {
        VirtioConsole console = Make();
        List<bool> seen = [];
        VirtioConsolePort port = console["echo"];
        port.IsGuestOpenChanged += (_, _) => seen.Add(port.IsGuestOpen);
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();

        driver.Tell(1, 6, 1);
        driver.Tell(1, 6, 1);
        driver.Tell(1, 6, 0);
        driver.Tell(1, 6, 1);
        driver.Driver.Reset();

        seen.Should().Equal(true, false, true, false);
    }

    [Fact]
    public async Task Guest_sees_who_is_at_the_other_end()
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();
        VirtioConsolePort port = console["echo"];

        port.IsConnected = false;
        driver.Hear().Should().Be("1.6=0");
        driver.Send(1, new byte[10]);
        driver.Driver.Queues[ConsoleDriver.QueueOf(1) + 1].Take();
        port.IsConnected = true;
        driver.Hear().Should().Be("1.6=1");
        driver.Send(1, [1]);

        (await Read(port, 1)).Should().Equal(1);
        port.DroppedBytes.Should().Be(10);
        port.AsStream().Dispose();
        driver.Hear().Should().Be("1.6=0");
    }

    [Fact]
    public async Task Emergency_writes_need_no_driver()
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Reset();

        foreach (byte character in "oops"u8)
            driver.WriteConfig(8, (uint)character);

        (await Read(console.Terminal, 4)).Should().Equal("oops"u8.ToArray());
    }

    [Fact]
    public async Task Named_port_waits_for_its_reader_and_the_console_does_not()
    {
        VirtioConsole console = Make(bufferSize: 4096);
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();
        byte[] block = new byte[4096];

        for (int i = 0; i < 4; i++)
            driver.Send(0, block);
        for (int i = 0; i < 4; i++)
            driver.Driver.Queues[1].Take();
        console.Terminal.DroppedBytes.Should().Be(3 * 4096);

        VirtioDriverQueue queue = driver.Driver.Queues[ConsoleDriver.QueueOf(1) + 1];
        for (int i = 0; i < 4; i++)
            driver.Send(1, block);
        queue.Take();
        queue.TryTake(out _).Should().BeFalse("the port is full");
        (await Read(console["echo"], 4 * 4096)).Should().HaveCount(4 * 4096);
        for (int i = 1; i < 4; i++)
            queue.Take();
        console["echo"].DroppedBytes.Should().Be(0);
    }

    [Fact]
    public async Task Migration_carries_the_ports()
    {
        VirtioConsole console = Make();
        using TestGuest guest = TestGuest.Attach(console);
        ConsoleDriver driver = new(guest);
        driver.TakePorts();
        driver.Tell(1, 6, 1);

        VirtioConsole other = Make();
        using TestGuest target = guest.MigrateTo(other);
        driver.Driver.MoveTo(target);

        other["echo"].IsGuestOpen.Should().BeTrue();
        new[] { driver.Hear(), driver.Hear(), driver.Hear() }.Should().BeEquivalentTo(["0.6=1", "0.5=1 50001900", "1.6=1"]);
        driver.Send(1, [1, 2, 3]);
        (await Read(other["echo"], 3)).Should().Equal(1, 2, 3);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("../tty")]
    [InlineData("ä")]
    public void Port_that_no_file_can_be_named_after_is_refused(string name) =>
        FluentActions.Invoking(() => new VirtioConsole(new() { Ports = [name] })).Should().Throw<ArgumentException>();

    private static VirtioConsole Make(int bufferSize = 64 << 10) => new(new() { Ports = ["echo"], BufferSize = bufferSize });

    private static async Task<byte[]> Read(VirtioConsolePort port, int count)
    {
        ReadResult result = await port.Input.ReadAtLeastAsync(count).AsTask().WaitAsync(Timeout);
        byte[] bytes = System.Buffers.BuffersExtensions.ToArray(result.Buffer);
        port.Input.AdvanceTo(result.Buffer.End);
        return bytes;
    }
}
