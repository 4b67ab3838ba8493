using System.Text.RegularExpressions;
using FluentAssertions;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests;

public class SerialConsoleTests
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Text_is_found_however_the_port_cuts_it()
    {
        var console = new SerialConsole();
        Task<Match> ready = console.WaitFor("^vm: ready$", 0, Timeout);

        foreach (char c in "boot\r\nvm: ready\r\n")
        {
            console.Append(c.ToString());
        }

        (await ready).Index.Should().Be(5);
    }

    [Fact]
    public async Task A_panic_is_seen_however_the_port_cuts_it()
    {
        var console = new SerialConsole();
        Task wait = console.WaitFor("never", 0, Timeout);

        foreach (char c in "Kernel panic - not syncing")
        {
            console.Append(c.ToString());
        }

        await ((Func<Task>)(() => wait)).Should().ThrowAsync<IOException>();
    }
}
