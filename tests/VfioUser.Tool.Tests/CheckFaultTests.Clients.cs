using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class CheckFaultTests
{
    [Fact]
    public void A_client_refused_after_another_disconnected_is_a_failure()
    {
        int versions = 0;

        Breaks("next-client", "VERSION is refused with EBUSY, though no other client is attached", (header, _) =>
            header.Command == Command.Version && ++versions % 2 == 0 ? FakeServer.Refuse(header, errno: Errno.EBUSY) : null);
    }

    [Fact]
    public void A_second_client_refused_with_EBUSY_passes()
    {
        using FakeServer server = new() { SecondClient = (header, _) => FakeServer.Refuse(header, errno: Errno.EBUSY) };

        server.Check("--rule", "second-client").Out.Should().Contain("ok   second-client").And.Contain("1 passed");
    }

    [Fact]
    public void A_second_client_that_gets_no_reply_is_a_warning() => SecondClient("it gets no reply for 5 seconds; QEMU times out", null);

    [Fact]
    public void A_second_client_that_is_disconnected_is_a_warning() => SecondClient("it is disconnected without a reply", (_, _) => []);

    [Fact]
    public void A_second_client_that_is_refused_with_something_else_is_a_warning() =>
        SecondClient("it is refused with ENODEV, which does not mean", (header, _) => FakeServer.Refuse(header, errno: Errno.ENODEV));

    [Fact]
    public void A_second_client_that_is_served_is_a_warning() => SecondClient("it is served as well", (header, payload) => FakeServer.Reply(header, payload));

    [Fact]
    public void A_server_that_is_busy_with_another_client_is_one_clear_line()
    {
        using FakeServer server = new((_, _) => []);

        ToolRun run = ToolRun.Of("check", server.Path, "--server-timeout", "0.05");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: The server cannot be checked: no answer to Version within 0.05 seconds").And.EndWith("is another one connected?\n");
        run.Out.Should().BeEmpty();
    }

    [Fact]
    public void A_server_that_refuses_with_EBUSY_is_one_clear_line()
    {
        using FakeServer server = new((header, _) => FakeServer.Refuse(header, errno: Errno.EBUSY));

        ToolRun run = ToolRun.Of("check", server.Path, "--server-timeout", "0.05");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be("vfio-user: The server cannot be checked: another client is attached.\n");
        run.Out.Should().BeEmpty();
    }

    private static void SecondClient(string why, Fault? hears)
    {
        using FakeServer server = new() { SecondClient = hears };

        Warns(server, "second-client", why);
    }
}
