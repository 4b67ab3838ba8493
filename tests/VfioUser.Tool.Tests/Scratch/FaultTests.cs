using System.Diagnostics;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Tool.Tests.Tracing;

namespace VfioUser.Tool.Tests.Scratch;

public class FaultTests
{
    [Theory]
    [InlineData("refuse:REGION_READ:EIO")]
    [InlineData("refuse:RegionRead:EIO")]
    [InlineData("refuse:vfio_user_region_read:EIO")]
    public void A_refused_command_fails_and_the_next_one_works(string fault)
    {
        using ServedScratch served = new(more: ["--fault", fault]);
        using VfioUserClient client = served.Connect();

        Action read = () => client.ReadRegion(0, 0, new byte[4]);

        read.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EIO);
        client.WriteRegion(0, 0, [1]);
    }

    [Fact]
    public void Only_the_selected_occurrence_is_refused()
    {
        using ServedScratch served = new(more: ["--fault", "refuse:REGION_READ:EBUSY@2"]);
        using VfioUserClient client = served.Connect();
        Action read = () => client.ReadRegion(0, 0, new byte[4]);

        read.Should().NotThrow();
        read.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBUSY);
        read.Should().NotThrow();
    }

    [Fact]
    public void The_servers_commands_are_refused_too()
    {
        using ServedScratch served = new(more: ["--fault", "refuse:DMA_READ:EFAULT"]);
        using VfioUserClient client = served.Connect(memory: new Memory());
        client.MapDma(Memory.Start, 4096);
        client.WriteRegion(0, 0, RawClient.Bytes(Memory.Start));
        client.WriteRegion(0, 8, RawClient.Bytes(4u));

        client.WriteRegion(0, 0x18, [1, 0, 0, 0]);

        byte[] status = new byte[4];
        client.ReadRegion(0, 0x0C, status);
        status.Should().Equal(1, 0, 0, 0);
    }

    [Fact]
    public void A_delayed_command_takes_that_long()
    {
        using ServedScratch served = new(more: ["--fault", "delay:DEVICE_RESET:250ms"]);
        using VfioUserClient client = served.Connect();
        Stopwatch time = Stopwatch.StartNew();

        client.ResetDevice();

        time.Elapsed.Should().BeGreaterThan(TimeSpan.FromMilliseconds(240));
    }

    [Fact]
    public void A_dropped_reply_is_never_received()
    {
        using ServedScratch served = new(more: ["--fault", "no-reply:REGION_WRITE@1"]);
        using VfioUserClient client = served.Connect(seconds: 3);

        Action write = () => client.WriteRegion(0, 0x90, [0x5A]);

        write.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ETIMEDOUT);
        byte[] written = new byte[1];
        client.ReadRegion(0, 0x90, written);
        written.Should().Equal(0x5A);
        write.Should().NotThrow();
    }

    [Fact]
    public void The_connection_ends_on_a_command_and_the_next_client_is_served()
    {
        using ServedScratch served = new(more: ["--fault", "close:on:DEVICE_RESET@1"]);
        using VfioUserClient client = served.Connect();

        Action reset = client.ResetDevice;

        reset.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
        using VfioUserClient next = served.Connect();
        next.ResetDevice();
    }

    [Fact]
    public void The_connection_ends_after_a_number_of_messages()
    {
        using ServedScratch served = new(more: ["--fault", "close:after:6"]);
        using VfioUserClient client = served.Connect();
        Action read = () => client.ReadRegion(0, 0, new byte[4]);

        read.Should().NotThrow();
        read.Should().NotThrow();
        read.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.ENOTCONN);
    }

    [Fact]
    public void A_second_client_gets_EBUSY_and_the_first_is_not_disturbed()
    {
        using ServedScratch served = new(more: ["--fault", "refuse:REGION_READ:EIO@2"]);
        using VfioUserClient client = served.Connect();

        Action come = () => served.Connect().Dispose();

        come.Should().Throw<VfioUserException>().Which.Errno.Should().Be(Errno.EBUSY);
        client.ReadRegion(0, 0, new byte[4]);
    }

    [Theory]
    [InlineData("explode", "'explode' is no fault")]
    [InlineData("refuse:REGION_REED:EIO", "'REGION_REED' is no command")]
    [InlineData("refuse:REGION_READ:EOOPS", "'EOOPS' is no error")]
    [InlineData("refuse:REGION_READ:5", "'5' is no error")]
    [InlineData("delay:any:soon", "'soon' is no time")]
    [InlineData("delay:any:2h", "'2h' is no time")]
    [InlineData("close:after:0", "'0' is no number from 1 on")]
    [InlineData("close:after:3@2", "is no fault")]
    [InlineData("close:on:any@x", "'x' is no number from 1 on")]
    public void An_invalid_fault_is_one_line_and_exit_code_2(string fault, string complaint)
    {
        ToolRun run = ToolRun.Of("serve", "/tmp/never.sock", "/tmp/never.json", "--fault", fault);

        run.ExitCode.Should().Be(2);
        run.Error.Should().Contain(complaint);
        run.Error.Trim().Should().NotContain("\n");
    }
}
