using System.CommandLine;
using VfioUser.Tool.CommandLine;

namespace VfioUser.Tool.Checking;

/// <summary><c>vfio-user check</c>: checks a server against the specification.</summary>
internal static class CheckCommand
{
    public static Command Create(Terminal terminal)
    {
        Command command = new("check", "Checks a server against the specification, rule by rule; resets the device");
        ServerArguments server = ServerArguments.AddTo(command, needed: false);
        Option<bool> json = new("--json") { Description = "As JSON" };
        Option<string[]> names = new("--rule") { Description = "Check these rules only", AllowMultipleArgumentsPerToken = false };
        Option<bool> list = new("--list") { Description = "Print the rules and check nothing" };
        names.Validators.Add(result =>
        {
            HashSet<string> known = [.. All().Select(rule => rule.Rule.Name)];
            if (result.Tokens.FirstOrDefault(token => !known.Contains(token.Value)) is { } unknown)
                result.AddError($"'{unknown.Value}' is not a rule; --list prints all.");
        });
        command.Validators.Add(result =>
        {
            if (!result.GetValue(list) && server.IsMissing(result))
                result.AddError("check takes the SOCKET of a server, or --list.");
        });
        command.Add(json);
        command.Add(names);
        command.Add(list);
        command.SetAction(parsed =>
        {
            string[] wanted = parsed.GetValue(names) ?? [];
            IEnumerable<(Topic Topic, Rule Rule)> rules = All().Where(rule => wanted.Length == 0 || wanted.Contains(rule.Rule.Name, StringComparer.Ordinal));
            CheckText text = new(terminal);
            if (parsed.GetValue(list))
            {
                foreach ((Topic topic, Rule rule) in rules)
                    text.Write(topic, rule);
                return ExitCode.Success;
            }
            bool asJson = parsed.GetValue(json);
            CheckRun run = new(new Subject(server.ExistingSocket(parsed), server.Timeout(parsed), terminal.Stop));
            IReadOnlyList<CheckedRule> results = run.Check(rules, result =>
            {
                if (!asJson)
                    text.Write(result);
            });
            CheckSummary summary = CheckRun.Count(results);
            if (asJson)
                terminal.Out.WriteLine(CheckJson.Format(new CheckReport(server.Socket(parsed), summary, results)));
            else
                text.Write(summary);
            return summary.Failed == 0 ? ExitCode.Success : ExitCode.Failure;
        });
        return command;
    }

    private static IEnumerable<(Topic Topic, Rule Rule)> All() =>
        RuleBook.Topics.SelectMany(topic => topic.Rules, (topic, rule) => (topic, rule));
}
