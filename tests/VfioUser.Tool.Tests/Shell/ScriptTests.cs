using VfioUser.Tool.Shell;

namespace VfioUser.Tool.Tests.Shell;

public sealed class ScriptTests : IDisposable
{
    private static readonly VfioUserServerOptions WithNames = new() { RegisterMap = true };

    private readonly Served _served = new(new DmaCard(), WithNames);

    public void Dispose() => _served.Dispose();

    [Theory]
    [InlineData("mapped")]
    [InlineData("file")]
    [InlineData("twin")]
    [InlineData("message")]
    public void A_script_drives_a_device_with_memory_of_each_kind(string memory)
    {
        ToolRun run = Run($"""
            # adds up nine bytes
            memory {memory}
            dma place buffer "123456789" u32:0
            write IOVA $buffer
            write LENGTH 9
            write CTRL.GO 1
            irq wait msix 1
            irq none msix
            expect SUM == 477
            expect SUM has 0x1
            expect dma $buffer+9 == u32:477   # behind them
            expect irq msix 1 == 1
            read SUM
            dma dump $buffer 13
            """);

        run.Should().Be(new ToolRun(0, """
            SUM = 0x000001dd
            100000000  31 32 33 34 35 36 37 38 39 dd 01 00 00           123456789....

            """, ""));
    }

    [Fact]
    public void The_first_expectation_that_fails_ends_the_script_with_its_line()
    {
        ToolRun run = Run("write LENGTH 9\nexpect LENGTH == 8\necho never");

        run.ExitCode.Should().Be(1);
        run.Out.Should().BeEmpty();
        run.Error.Should().Be($"{_served.PathOf("script")}:2: expected LENGTH == 8, and it is 0x00000009\n");
    }

    [Theory]
    [InlineData("expect dma $b == \"ab\"", 1, "expected 62 at 0x100000001, and there is 63")]
    [InlineData("dma compare $b $b+1 2", 1, "expected 6300 at 0x100000000, and there is 6163")]
    [InlineData("read STATUS", 1, "There is no register 'STATUS'. The command 'info --registers' lists them.")]
    [InlineData("read bar0 0x1000", 1, "bar0 has 0x1000 bytes: 4 at 0x1000 do not lie in it.")]
    [InlineData("write bar5 0 1", 1, "The device has no bar5; the command 'info' lists its regions.")]
    [InlineData("irq wait msix 0 within 0.01", 1, "msix 0 did not come within 0.01 seconds; it has come 0 times in all")]
    [InlineData("irq wait msix 2", 1, "The device has 2 vectors of msix, and no vector 2.")]
    [InlineData("irq wait msi", 1, "The device has 0 vectors of msi, and no vector 0.")]
    [InlineData("wait SUM == 1 within 0.01", 1, "expected SUM == 1, and it is 0x00000000, after 0.01 seconds")]
    [InlineData("dma dump 0 16", 1, "16 bytes from 0x0 on: the guest has 16777216 bytes of memory from 0x100000000 on.*")]
    [InlineData("dma alloc more 0x2000000", 2, "*")]
    [InlineData("migrate /nowhere", 1, "Cannot connect to '/nowhere': no such file.")]
    [InlineData("wirte CTRL 1", 2, "There is no command 'wirte'; did you mean write?")]
    [InlineData("dma", 2, "dma what? alloc, place, write, fill, dump, compare, save, unmap, map.")]
    [InlineData("dma frob", 2, "There is no command 'dma frob': alloc, *")]
    [InlineData("write CTRL", 2, "VALUE is missing. Usage: write NAME | REGION OFFSET [WIDTH] VALUE")]
    [InlineData("write CTRL 1 2", 2, "'2' is one word too many. Usage: *")]
    [InlineData("write CTRL $other", 2, "$other is not set. Usage: *")]
    [InlineData("write CTRL.SPEED Fats", 2, "'Fats' is no value of CTRL.SPEED; write a number, Slow, Fast. Usage: *")]
    [InlineData("write bar0 8 1 256", 2, "0x100 does not fit into 1 byte; *")]
    [InlineData("expect CTRL = 1", 2, "'=' is no comparison: == != < <= > >= has lacks. Usage: *")]
    [InlineData("dma place x \"open", 2, "A quote is not closed.")]
    [InlineData("dma place x hex:1", 2, "'1' is not in hexadecimal: *")]
    [InlineData("dma place x u8:256", 2, "0x100 does not fit into u8.*")]
    [InlineData("dma place x 5", 2, "'5' is no data: *")]
    [InlineData("memory tape", 2, "'tape' is no kind of memory: mapped, file, twin, message. *")]
    [InlineData("set 5! 1", 2, "'5!' is no name: *")]
    public void A_line_that_cannot_be_done_says_why(string line, int exitCode, string message)
    {
        ToolRun run = Run($"dma place b \"ac\"\n{line}");

        run.Error.Should().Match($"{_served.PathOf("script")}:2: {message}\n");
        if (message is not "*")
            run.ExitCode.Should().Be(exitCode);
    }

    [Fact]
    public void Registers_are_written_by_names_of_values_offsets_and_posts()
    {
        ToolRun run = Run("""
            write CTRL.SPEED Fast
            expect CTRL == 0x10
            write bar0 8 2 0x1234
            read bar0 8 2
            write bar0 8 4
            expect bar0 8 == 4
            expect bar0 8 1 == 4
            post LENGTH 7
            expect LENGTH == 7
            set length read LENGTH
            echo is $length now
            dump bar0 8 8 4
            registers CTR
            """);

        run.Error.Should().BeEmpty();
        run.Out.Should().StartWith("bar0 0x8 = 0x1234\nis 0x7 now\n00000008  00000007 00000000").And.Contain("bar0     0x0010  4  CTRL").And.NotContain("SUM");
    }

    [Fact]
    public void A_guest_migrates_to_another_socket_with_its_memory()
    {
        using Served other = new(new DmaCard(), WithNames);

        ToolRun run = Run($"""
            dma place buffer "12" u32:0
            write IOVA $buffer
            write LENGTH 2
            migrate {other.Socket}
            write CTRL 1
            irq wait msix 1
            expect SUM == 99
            expect dma $buffer == "12c\0"
            """);

        run.Should().Be(new ToolRun(0, "", ""));
        other.Run("read", "LENGTH").Out.Should().StartWith("0x00000002");
    }

    [Fact]
    public void A_device_is_reset_and_connected_again()
    {
        Run("""
            write LENGTH 5
            reconnect
            expect LENGTH == 5
            reset
            expect LENGTH == 0
            driver
            irq mask msix 1
            irq unmask msix 1
            dma unmap
            dma map
            info
            quit
            expect LENGTH == 9
            """).Should().Match<ToolRun>(run => run.ExitCode == 0 && run.Error.Length == 0 && run.Out.Contains("Negotiation"));
    }

    [Fact]
    public void Commands_come_from_the_command_line_and_from_standard_input_too()
    {
        ToolRun commands = _served.Run("shell", "--command", "write LENGTH 3", "-c", "expect LENGTH == 4");
        ToolRun input = ToolRun.Reading("write LENGTH 3\nread LENGTH\n", "shell", _served.Socket, "--echo");

        commands.Should().Be(new ToolRun(1, "", "--command:2: expected LENGTH == 4, and it is 0x00000003\n"));
        input.Should().Be(new ToolRun(0, "> write LENGTH 3\n> read LENGTH\nLENGTH = 0x00000003\n", ""));
    }

    [Fact]
    public void Data_is_saved_and_read_back()
    {
        string file = _served.PathOf("bytes");

        Run($"""
            dma place a "\x00\xff\"\\" hex:0aBB u16:1,2
            dma save $a 10 {file}
            dma place b file:{file}
            dma compare $a $b 10
            dma fill $b 10 0x55
            expect dma $b == hex:55555555555555555555
            """).Should().Be(new ToolRun(0, "", ""));

        File.ReadAllBytes(file).Should().Equal(0, 0xFF, (byte)'"', (byte)'\\', 0x0A, 0xBB, 1, 0, 2, 0);
    }

    [Fact]
    public async Task Ctrl_c_ends_a_command_at_the_prompt_and_leaves_the_shell()
    {
        using StringWriter error = new();
        Terminal terminal = new(TextWriter.Null, error, Colors: false, CancellationToken.None);
        using ShellSession session = new(_served.Socket, ShellMemory.Of("mapped", ShellMemory.DefaultSize), TimeSpan.FromMinutes(5), terminal);
        Prompt.RunLine(session, "set kept 7");
        terminal.Foreground.TryInterrupt().Should().BeFalse("no command runs, and the tool is to end");

        Task waiting = Task.Run(() => Prompt.RunLine(session, "irq wait msix 1"));
        SpinWait.SpinUntil(terminal.Foreground.TryInterrupt, TimeSpan.FromMinutes(1)).Should().BeTrue();
        await waiting.WaitAsync(TimeSpan.FromMinutes(1));
        Prompt.RunLine(session, "expect LENGTH == $kept");

        error.ToString().Should().Be($"Interrupted.{Environment.NewLine}expected LENGTH == $kept, and it is 0x00000000{Environment.NewLine}");
    }

    [Fact]
    public void A_server_without_names_is_driven_by_offsets()
    {
        using Served served = new(new DmaCard());

        ToolRun run = served.Run("shell", "-c", "write bar0 8 5", "-c", "expect bar0 8 == 5", "-c", "read LENGTH");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("--command:3: The server does not provide the names of its registers");
    }

    [Theory]
    [InlineData("mapped")]
    [InlineData("file")]
    [InlineData("twin")]
    [InlineData("message")]
    public void The_script_of_the_documentation_runs(string memory)
    {
        using Served served = new(new Crc32cDevice());
        string page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "tool.md"));
        File.WriteAllText(served.PathOf("crc.vfu"), page.Split("```text")[1].Split("```")[0]);

        served.Run("shell", served.PathOf("crc.vfu"), "--memory", memory).Should().Be(new ToolRun(0, "", ""));
    }

    [Fact]
    public void Help_explains_every_command()
    {
        string[] lines = Run("help").Out.TrimEnd().Split('\n');

        lines.Should().HaveCountGreaterThan(30);
        Run("help dma fill").Out.Should().Be("dma fill ADDRESS LENGTH BYTE\n  Writes one byte many times.\n");
    }

    [Fact]
    public void A_script_that_is_not_there_is_one_clear_line()
    {
        ToolRun run = _served.Run("shell", "/nowhere.vfu");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Contain("/nowhere.vfu");
    }

    [Fact]
    public void Ctrl_c_ends_a_script_that_waits()
    {
        using CancellationTokenSource stop = new(TimeSpan.FromMilliseconds(50));

        ToolRun run = ToolRun.Of(stop.Token, "shell", _served.Socket, "-c", "irq wait msix 0 within 3600");

        run.ExitCode.Should().Be(130);
    }

    private ToolRun Run(string script)
    {
        File.WriteAllText(_served.PathOf("script"), script);
        return _served.Run("shell", _served.PathOf("script"));
    }
}
