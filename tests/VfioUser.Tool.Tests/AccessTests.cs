namespace VfioUser.Tool.Tests;

public class AccessTests
{
    [Fact]
    public void Values_are_written_and_read_in_the_requested_width()
    {
        Everything device = new();
        using Served served = new(device);

        ToolRun written = served.Run("write", "bar0", "0x10", "0x11223344");
        ToolRun read = served.Run("read", "0", "0x10");
        ToolRun half = served.Run("read", "bar0", "18", "--width", "2");

        written.Error.Should().BeEmpty();
        written.ExitCode.Should().Be(0);
        device[0x10].Should().Be(0x44);
        read.Out.Should().Be("0x11223344\n");
        half.Out.Should().Be("0x1122\n");
    }

    [Fact]
    public void Bytes_are_dumped_or_put_into_a_file_and_back()
    {
        Everything device = new();
        device[0x20] = 0xAB;
        using Served served = new(device);

        ToolRun dump = served.Run("read", "bar0", "0x20", "--length", "20");
        served.Run("read", "bar0", "0", "--length", "0x1000", "--output", served.PathOf("bytes")).ExitCode.Should().Be(0);
        byte[] bytes = File.ReadAllBytes(served.PathOf("bytes"));
        bytes[0x21] = 0xCD;
        File.WriteAllBytes(served.PathOf("bytes"), bytes);
        ToolRun back = served.Run("write", "bar0", "0", "--input", served.PathOf("bytes"));

        dump.Out.Should().Be("00000020  ab" + string.Concat(Enumerable.Repeat(" 00", 15)) + "  ................\n" +
            "00000030  00 00 00 00" + new string(' ', 12 * 3) + "  ....\n");
        bytes.Should().HaveCount(0x1000);
        back.ExitCode.Should().Be(0);
        device[0x21].Should().Be(0xCD);
    }

    [Theory]
    [InlineData("2", "00000010  6548 6c6c 2c6f 6920 206f 6572 2067 2131  Hello, io reg 1!\n")]
    [InlineData("8", "00000010  69202c6f6c6c6548 213120676572206f  Hello, io reg 1!\n")]
    public void A_dump_has_words_of_the_width_and_ascii(string width, string text)
    {
        Everything device = new();
        "Hello, io reg 1!"u8.ToArray().Select((value, at) => device[0x10 + at] = value).Should().HaveCount(16);
        using Served served = new(device);

        served.Run("read", "bar0", "0x10", "--length", "16", "--width", width).Out.Should().Be(text);
    }

    [Theory]
    [InlineData("bar9", "0")]
    [InlineData("bar0", "zero")]
    [InlineData("bar0", "-1")]
    [InlineData("bar0", "0", "--width", "3")]
    [InlineData("bar0", "0", "--server-timeout", "0")]
    [InlineData("bar0", "0", "--length", "0")]
    public void Invalid_arguments_are_one_line_and_exit_code_2(params string[] more)
    {
        ToolRun run = ToolRun.Of(["read", "/nowhere", .. more]);

        run.ExitCode.Should().Be(2);
        run.Error.Should().StartWith("vfio-user: ").And.EndWith("\n");
        run.Error.Trim().Should().NotContain("\n");
        run.Out.Should().BeEmpty();
    }

    [Theory]
    [InlineData("write", "/nowhere", "bar0", "0", "lots")]
    [InlineData("write", "/nowhere", "bar0", "0")]
    [InlineData("watch", "/nowhere", "bar0", "--interval", "-1")]
    [InlineData("watch", "/nowhere", "bar0", "--length", "0")]
    [InlineData("irq", "/nowhere", "msix", "--timeout", "-1")]
    [InlineData("bench", "/nowhere", "--region", "bar9")]
    [InlineData("bench", "/nowhere", "--seconds", "0")]
    public void Invalid_arguments_that_only_the_command_notices_are_one_line_and_exit_code_2(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);

        run.ExitCode.Should().Be(2);
        run.Error.Should().StartWith("vfio-user: ").And.EndWith("\n");
    }

    [Fact]
    public void A_value_wider_than_its_register_is_not_written()
    {
        Everything device = new();
        using Served served = new(device);

        ToolRun run = served.Run("write", "bar0", "0", "0x100", "--width", "1");

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain("0x100 does not fit into 1 byte.");
        device[0].Should().Be(0);
    }

    [Theory]
    [InlineData("bar0 has 0x1000 bytes: 4 at 0x1000 do not lie in it.", "read", "bar0", "0x1000")]
    [InlineData("bar0 has 0x1000 bytes: 4 at 0xffe do not lie in it.", "write", "bar0", "0xffe", "1")]
    [InlineData("The device has no bar5; the command 'info' lists its regions.", "read", "bar5", "0")]
    [InlineData("The device has no bar5; the command 'info' lists its regions.", "write", "bar5", "0", "1")]
    [InlineData("The device has no bar5; the command 'info' lists its regions.", "watch", "bar5")]
    [InlineData("bar0 has 0x1000 bytes: 1 at 0x1000 do not lie in it.", "watch", "bar0", "--offset", "0x1000")]
    public void A_refused_access_says_what_the_device_has(string message, params string[] args)
    {
        using Served served = new(new Everything());

        ToolRun run = served.Run(args[0], args[1..]);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be($"vfio-user: {message}\n");
    }

    [Fact]
    public void A_write_to_a_read_only_region_says_that_it_is_one()
    {
        using Served served = new(new WithRom());

        ToolRun run = served.Run("write", "rom", "0", "1");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: rom is read-only.\n");
    }

    private sealed class WithRom : PciDevice
    {
        public WithRom()
            : base(new PciId(0x1234, 0x567A), PciClass.ProcessingAccelerator) => AddRom("ROM"u8);
    }
}
