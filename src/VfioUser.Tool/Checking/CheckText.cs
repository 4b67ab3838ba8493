namespace VfioUser.Tool.Checking;

/// <summary>Prints rules as text as they are checked: a line each, and a second one for a remark.</summary>
internal sealed class CheckText(Terminal terminal)
{
    private const int NameWidth = 28;

    private string? _topic;

    public void Write(CheckedRule rule)
    {
        if (rule.Verdict == Verdict.NotChecked)
            return;
        Begin(rule.Topic);
        terminal.Out.WriteLine($"  {Mark(rule.Verdict)} {rule.Name,-NameWidth} {rule.Text}");
        if (rule.Why is null)
            return;
        string why = rule.Verdict is Verdict.Failed or Verdict.Warning ? $"{rule.Why} [{rule.Heading}]" : rule.Why;
        terminal.Out.WriteLine($"    {new string(' ', MarkWidth)}{Colored(rule.Verdict, why)}");
    }

    public void Write(CheckSummary summary)
    {
        string line = $"{summary.Passed} passed, {summary.Failed} failed, {summary.Warnings} warnings, {summary.NotServed} not served"
            + (summary.NotChecked > 0 ? $", {summary.NotChecked} not checked since the server no longer answered" : "");
        terminal.Out.WriteLine(summary.Failed > 0 ? terminal.Red(line) : terminal.Green(line));
    }

    /// <summary>The rules without a server.</summary>
    public void Write(Topic topic, Rule rule)
    {
        Begin(topic.Name);
        terminal.Out.WriteLine($"  {rule.Name,-NameWidth} {rule.Text} [{rule.Heading}]");
    }

    private void Begin(string topic)
    {
        if (string.Equals(_topic, topic, StringComparison.Ordinal))
            return;
        _topic = topic;
        terminal.Out.WriteLine(terminal.Bold(topic));
    }

    private int MarkWidth => terminal.Colors ? 0 : 3;

    // words for files and pipes, so that a search finds them
    private string Mark(Verdict verdict) => verdict switch
    {
        Verdict.Passed => terminal.Colors ? terminal.Green("✓") : "ok  ",
        Verdict.Failed => terminal.Colors ? terminal.Red("✗") : "FAIL",
        Verdict.Warning => terminal.Colors ? terminal.Bold("!") : "warn",
        _ => terminal.Colors ? terminal.Gray("–") : "-   ",
    };

    private string Colored(Verdict verdict, string text) => verdict == Verdict.Failed ? terminal.Red(text) : terminal.Gray(text);
}
