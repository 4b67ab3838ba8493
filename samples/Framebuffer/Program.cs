using System.CommandLine;
using System.CommandLine.Invocation;
using Framebuffer.Cli;

ParseResult parsed = CommandLine.Create().Parse(args);
if (parsed.Action is ParseErrorAction error)
    (error.ShowHelp, error.ShowTypoCorrections) = (parsed.CommandResult.Command.Subcommands.Count > 0, false); // else the message says enough
return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null }); // the commands end on signals themselves
