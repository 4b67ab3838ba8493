using System.CommandLine;
using System.CommandLine.Help;
using VfioUser.Tool.Benching;
using VfioUser.Tool.Checking;
using VfioUser.Tool.Comparing;
using VfioUser.Tool.Describing;
using VfioUser.Tool.Inspecting;
using VfioUser.Tool.Irqs;
using VfioUser.Tool.Machines;
using VfioUser.Tool.Regions;
using VfioUser.Tool.Replaying;
using VfioUser.Tool.Scratch;
using VfioUser.Tool.Shell;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.CommandLine;

/// <summary>All commands of the tool.</summary>
internal static class Commands
{
    /// <summary>The tool's name. Not that of the assembly, which is what a RootCommand has.</summary>
    public const string ToolName = "vfio-user";

    public static Command Create(Terminal terminal) => new(ToolName, "Shows, reads, writes, watches, checks and measures any vfio-user server.")
    {
        new HelpOption(),
        new VersionOption(),
        InfoCommand.Create(terminal),
        ConfigCommand.Create(terminal),
        ReadCommand.Create(terminal),
        WriteCommand.Create(terminal),
        WatchCommand.Create(terminal),
        IrqCommand.Create(terminal),
        ShellCommand.Create(terminal),
        VmCommand.Create(terminal),
        InspectCommand.Create(terminal),
        TopCommand.Create(terminal),
        CheckCommand.Create(terminal),
        BenchCommand.Create(terminal),
        TraceCommand.Create(terminal),
        ReplayCommand.Create(terminal),
        DiffCommand.Create(terminal),
        ServeCommand.Create(terminal),
        CompletionCommand.Create(terminal),
        CompleteCommand.Create(terminal),
    };
}
