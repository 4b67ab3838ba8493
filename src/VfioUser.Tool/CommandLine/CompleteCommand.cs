using System.CommandLine;
using System.CommandLine.Completions;

namespace VfioUser.Tool.CommandLine;

/// <summary><c>vfio-user complete</c>: what a shell offers for the word at the end of a command line. For the scripts of <see cref="CompletionCommand"/>.</summary>
internal static class CompleteCommand
{
    public const string Name = "complete";

    public static Command Create(Terminal terminal)
    {
        Command command = new(Name, "What may stand at the end of a command line") { Hidden = true };
        Argument<string[]> words = new("WORD") { Description = "The words after the tool's name; the last is completed", Arity = ArgumentArity.ZeroOrMore };
        command.Add(words);
        command.SetAction(parsed =>
        {
            foreach (string word in Words(parsed.GetValue(words) ?? []))
                terminal.Out.WriteLine(word);
            return ExitCode.Success;
        });
        return command;

        IEnumerable<string> Words(string[] before)
        {
            string last = before.LastOrDefault() ?? "";
            // an option's value: the parser offers what may follow the option
            IEnumerable<CompletionItem> items = Commands.Create(terminal).Parse(before, new ParserConfiguration { ResponseFileTokenReplacer = null }).GetCompletions();
            return items.Select(item => item.Label)
                .Where(label => label.StartsWith(last, StringComparison.Ordinal) && (last.Length > 0 || label[0] != '-') && !label.StartsWith('/') && label is not ("-?" or "-h"))
                .Distinct(StringComparer.Ordinal);
        }
    }
}
