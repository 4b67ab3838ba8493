using System.CommandLine;
using System.CommandLine.Invocation;
using Virtio.Cli;
using Virtio.Kinds;

// a kind of device is a file in Kinds and a line here
DeviceKind[] kinds =
[
    new BlockKind(),
    new EntropyKind(),
    new ConsoleKind(),
    new InputKind(),
    new VsockKind(),
    new FolderKind(),
    new NetKind(),
];

ParseResult parsed = CommandLine.Create(kinds).Parse(args);
if (parsed.Action is ParseErrorAction error)
    (error.ShowHelp, error.ShowTypoCorrections) = (parsed.CommandResult.Command.Subcommands.Count > 0, false); // else the message says enough
return await parsed.InvokeAsync();
