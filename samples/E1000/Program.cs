using System.CommandLine;
using System.CommandLine.Invocation;
using E1000.Cli;

ParseResult parsed = CommandLine.Create().Parse(args);
if (parsed.Action is ParseErrorAction error)
    (error.ShowHelp, error.ShowTypoCorrections) = (parsed.CommandResult.Command.Subcommands.Count > 0, false); // else the message says enough
return await parsed.InvokeAsync();
