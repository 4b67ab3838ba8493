using System.CommandLine;
using System.Text;
using VfioUser.Testing;
using VfioUser.Virtio;
using Virtio.Cli;
using Virtio.Ports;

namespace Virtio.Kinds;

/// <summary>A console, and ports beside it, on a UNIX socket each.</summary>
internal sealed class ConsoleKind : DeviceKind
{
    private readonly Option<string> _terminal = new("--terminal")
    {
        Description = "Path of a UNIX socket that is the terminal: socat -,raw,echo=0 UNIX:PATH.",
        Required = true,
    };

    private readonly Option<string[]> _ports = new("--port")
    {
        Description = "NAME=PATH: a port, and the UNIX socket that is its other end; may be given several times.",
    };

    public override string Name => "console";

    public override string Description => "Serves a console and ports: /dev/hvc0, /dev/virtio-ports/NAME.";

    public override IReadOnlyList<Option> Options => [_terminal, _ports];

    public override Task<ServedDevices> OpenAsync(ParseResult parsed, int sockets)
    {
        (string Name, string Path)[] ports = [.. (parsed.GetValue(_ports) ?? []).Select(Port)];
        VirtioConsole console = new(new() { Ports = [.. ports.Select(port => port.Name)] });
        List<PortSocket> open = [new PortSocket(console.Terminal, parsed.GetRequiredValue(_terminal))];
        foreach ((string name, string path) in ports)
            open.Add(new PortSocket(console[name], path));
        return Task.FromResult(new ServedDevices(console) { Close = () => Close(open) });
    }

    public override void Demo(TextWriter output)
    {
        using VirtioConsole console = new();
        using TestGuest guest = TestGuest.Attach(console);
        VirtioDriver driver = VirtioDriver.Start(guest);
        using Stream terminal = console.Terminal.AsStream();
        byte[] text = new byte[7];

        driver.Queues[1].Request("login: "u8, answerLength: 0);
        terminal.ReadExactly(text);

        output.WriteLine($"console: the guest says \"{Encoding.ASCII.GetString(text)}\"");
    }

    private static (string Name, string Path) Port(string text) =>
        text.Split('=', 2) is [var name, { Length: > 0 } path] ? (name, path) : throw new ArgumentException($"{text} is not NAME=PATH.");

    private static async ValueTask Close(List<PortSocket> ports)
    {
        foreach (PortSocket port in ports)
            await port.DisposeAsync();
    }
}
