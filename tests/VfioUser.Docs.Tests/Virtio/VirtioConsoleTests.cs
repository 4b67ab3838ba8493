using System.Text;
using VfioUser.Testing;
using VfioUser.Virtio;

namespace VfioUser.Docs.Tests.Virtio;

/// <summary>The snippets of the console in docs/virtio.md.</summary>
public sealed class VirtioConsoleTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Console_and_port_have_streams()
    {
        using VirtioConsole console = new(new() { Ports = ["org.example.agent"], Columns = 132, Rows = 43 });
        Stream terminal = console.Terminal.AsStream();       // /dev/hvc0
        Stream agent = console["org.example.agent"].AsStream(); // /dev/virtio-ports/org.example.agent

        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest);
        driver.Queues[1].Request("login"u8, 0);
        driver.Queues[5].Request("agent"u8, 0);

        byte[] text = new byte[5];
        await terminal.ReadExactlyAsync(text).AsTask().WaitAsync(Timeout);
        Encoding.ASCII.GetString(text).Should().Be("login");
        await agent.ReadExactlyAsync(text).AsTask().WaitAsync(Timeout);
        Encoding.ASCII.GetString(text).Should().Be("agent");
    }
}
