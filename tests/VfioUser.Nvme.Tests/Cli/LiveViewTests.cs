using Nvme.Cli;
using Nvme.Driver;
using Spectre.Console;
using VfioUser.Nvme.Tests.Support;

namespace VfioUser.Nvme.Tests.Cli;

public sealed class LiveViewTests : IDisposable
{
    private readonly StringWriter _text = new();
    private readonly IAnsiConsole _console;

    public LiveViewTests()
    {
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(_text),
        });
        _console.Profile.Width = 100;
    }

    public void Dispose() => _text.Dispose();

    private string Shown(LiveView view)
    {
        _text.GetStringBuilder().Clear();
        _console.Write(view.Next());
        return _text.ToString();
    }

    [Fact]
    public void Queues_and_what_was_moved_are_shown()
    {
        using Machine machine = new();
        LiveView view = new(machine.Controller, _console);
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        for (int i = 0; i < 3; i++)
            NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, machine.NewPage())));

        string shown = Shown(view);

        shown.Should().MatchRegex(@"write\s*│\s*[1-9]").And.MatchRegex(@"read\s*│\s*0 ");
        shown.Should().MatchRegex(@"admin\s*│").And.MatchRegex(@"1\s*│\s*16\s*│\s*0\s*│\s*0\s*│\s*[1-9]");
    }

    [Fact]
    public void Rates_are_since_the_last_look()
    {
        using Machine machine = new();
        LiveView view = new(machine.Controller, _console);
        DriverQueue queue = machine.Driver.CreateQueue(1, 16);
        NvmeDriver.Expect(queue.Execute(NewCommand.Io(IoOpcode.Read, 0, 1, machine.NewPage())));

        Shown(view);

        Shown(view).Should().MatchRegex(@"read\s*│\s*0 ").And.MatchRegex(@"1\s*│\s*16\s*│\s*0\s*│\s*0\s*│\s*0 ");
    }

    [Fact]
    public void Disabled_controller_has_no_queues()
    {
        using Machine machine = new();
        LiveView view = new(machine.Controller, _console);
        machine.Driver.Disable();

        Shown(view).Should().Contain("no driver yet");
    }
}
