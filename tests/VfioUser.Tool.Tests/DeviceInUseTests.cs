using System.Globalization;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Tool.Tests;

/// <summary>A server that has a client already.</summary>
public class DeviceInUseTests
{
    private static readonly string Reason = string.Create(CultureInfo.InvariantCulture, $"the device is in use by process {Environment.ProcessId}");

    [Theory]
    [InlineData("info")]
    [InlineData("config")]
    [InlineData("read", "bar0", "0")]
    [InlineData("bench")]
    public void The_process_that_uses_the_device_is_named(string command, params string[] more)
    {
        using Served served = new(new Crc32cDevice());
        using VfioUserClient first = VfioUserClient.Connect(served.Socket);

        ToolRun run = served.Run(command, more);

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be($"vfio-user: The server refused Version with EBUSY: {Reason}.\n");
    }

    [Fact]
    public void A_check_names_the_process_that_uses_the_device()
    {
        using Served served = new(new Crc32cDevice());
        using VfioUserClient first = VfioUserClient.Connect(served.Socket);

        ToolRun run = served.Run("check", "--server-timeout", "2");

        run.ExitCode.Should().Be(1);
        run.Error.Should().Be($"vfio-user: The server cannot be checked: {Reason}.\n");
    }

    [Fact]
    public void A_client_has_the_reason_in_its_exception()
    {
        using Served served = new(new Crc32cDevice());
        using VfioUserClient first = VfioUserClient.Connect(served.Socket);

        VfioUserException refused = FluentActions.Invoking(() => VfioUserClient.Connect(served.Socket)).Should().Throw<VfioUserException>().Which;

        refused.Errno.Should().Be(Errno.EBUSY);
        refused.Reason.Should().Be(Reason);
        refused.Message.Should().EndWith($"EBUSY: {Reason}.");
    }
}
