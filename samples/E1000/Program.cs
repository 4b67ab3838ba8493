using System.CommandLine;
using System.CommandLine.Invocation;
using E1000.Cli;

ParseResult parsed = CommandLine.Create().Parse(args);
if (parsed.Action is ParseErrorAction error)
    (error.ShowHelp, error.ShowTypoCorrections) = (args is [], false); // otherwise the message says enough
return await parsed.InvokeAsync();
