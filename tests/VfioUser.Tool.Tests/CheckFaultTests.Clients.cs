using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

public partial class CheckFaultTests
{
    [Fact]
    public void A_client_that_is_turned_away_because_of_one_that_has_left()
    {
        int versions = 0;

        Breaks("next-client", "VERSION is refused with EBUSY, though nobody else is there any more", (header, _) =>
            header.Command == Command.Version && ++versions % 2 == 0 ? FakeServer.Refuse(header, errno: Errno.EBUSY) : null);
    }

    [Fact]
    public void A_second_client_that_is_told_that_the_device_is_in_use()
    {
        using FakeServer server = new() { SecondClient = (header, _) => FakeServer.Refuse(header, errno: Errno.EBUSY) };

        server.Check("--rule", "second-client").Out.Should().Contain("ok   second-client").And.Contain("1 passed");
    }

    [Fact]
    public void A_second_client_that_hears_nothing() => SecondClient("it hears nothing for 5 seconds; QEMU gives up", null);

    [Fact]
    public void A_second_client_that_is_hung_up_on() => SecondClient("it is hung up on without a word", (_, _) => []);

    [Fact]
    public void A_second_client_that_is_refused_with_something_else() =>
        SecondClient("it is refused with ENODEV, which does not say", (header, _) => FakeServer.Refuse(header, errno: Errno.ENODEV));

    [Fact]
    public void A_second_client_that_is_served() => SecondClient("it is served, too", (header, payload) => FakeServer.Reply(header, payload));

    [Fact]
    public void A_server_that_is_busy_with_another_client_is_one_clear_line()
    {
        using FakeServer server = new((_, _) => []);

        ToolRun run = ToolRun.Of("check", server.Path, "--server-timeout", "0.05");

        run.ExitCode.Should().Be(1);
        run.Error.Should().StartWith("vfio-user: The server cannot be checked: no answer to Version within 0.05 seconds").And.EndWith("is another one there?\n");
        run.Out.Should().BeEmpty();
    }

    [Fact]
    public void A_server_that_says_that_it_is_busy_is_one_clear_line()
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
