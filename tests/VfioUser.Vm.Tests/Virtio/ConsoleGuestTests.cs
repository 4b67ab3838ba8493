using System.Text;
using FluentAssertions;
using VfioUser.Virtio;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Virtio;

/// <summary>A virtio console under Linux's own driver: a login on /dev/hvc0, and a port beside it.</summary>
public class ConsoleGuestTests
{
    private static readonly Initramfs Guest = new(modules: [], programs: []);
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(120);

    [VmFact]
    public async Task User_logs_in_on_the_console_and_a_port_echoes()
    {
        using VirtioConsole console = new(new() { Ports = ["org.example.echo"], Columns = 100, Rows = 30 });
        Terminal terminal = new(console.Terminal.AsStream());
        await using ServedDevice served = new(console);
        await using VirtualMachine machine = await VirtualMachine.Start(new MachineOptions { Guest = Guest, SocketPaths = [served.SocketPath] });

        await machine.Output("echo root::0:0:root:/:/bin/sh >/etc/passwd; echo root:x:0: >/etc/group");
        await machine.Output("(setsid getty 38400 hvc0 >/dev/null 2>&1 &)");
        await terminal.WaitFor("login: ");
        await terminal.Type("root\n");
        await terminal.WaitFor("# ");
        await terminal.Type("stty size\n");
        await terminal.WaitFor("30 100");
        console.Resize(132, 43);
        (await machine.Output("until stty size </dev/hvc0 | grep -q '43 132'; do usleep 10000; done; stty size </dev/hvc0")).Should().Be("43 132");
        await terminal.Type("seq 1 20000 | md5sum; exit\n");
        await terminal.WaitFor("[0-9a-f]{32}");

        Stream port = console["org.example.echo"].AsStream();
        Task echo = port.CopyToAsync(port);
        await machine.Output("mkdir -p /dev/virtio-ports; for p in /sys/class/virtio-ports/*; do [ -s $p/name ] && ln -s /dev/${p##*/} /dev/virtio-ports/$(cat $p/name); done; true");
        string sums = await machine.Output(
            "head -c 300000 /dev/urandom >/tmp/a; exec 3<>/dev/virtio-ports/org.example.echo; (head -c 300000 <&3 >/tmp/b) & cat /tmp/a >&3; wait; exec 3<&-; cat /tmp/a | sha256sum; cat /tmp/b | sha256sum");
        string[] lines = sums.Split('\n');
        lines.Should().HaveCount(2);
        lines[1].Should().Be(lines[0]);
        await machine.Output("until [ -c /dev/hvc0 ]; do usleep 10000; done; echo bye >/dev/hvc0");
        await terminal.WaitFor("bye");

        await machine.Reboot();
        await machine.Output("until [ -c /dev/hvc0 ]; do usleep 10000; done; echo again >/dev/hvc0");
        await terminal.WaitFor("again");
        await machine.PowerOff();
        await port.DisposeAsync();
        await FluentActions.Awaiting(() => echo.WaitAsync(Timeout)).Should().ThrowAsync<OperationCanceledException>();
    }

    /// <summary>A user's end.</summary>
    private sealed class Terminal
    {
        private readonly Stream _stream;
        private readonly SerialConsole _text = new();
        private int _seen;

        public Terminal(Stream stream)
        {
            _stream = stream;
            _ = Show();
        }

        public Task Type(string text) => _stream.WriteAsync(Encoding.ASCII.GetBytes(text)).AsTask();

        public async Task WaitFor(string pattern)
        {
            System.Text.RegularExpressions.Match match = await _text.WaitFor(pattern, _seen, Timeout);
            _seen = match.Index + match.Length;
        }

        private async Task Show()
        {
            byte[] buffer = new byte[4096];
            while (await _stream.ReadAsync(buffer) is var count and > 0)
                _text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }
    }
}
