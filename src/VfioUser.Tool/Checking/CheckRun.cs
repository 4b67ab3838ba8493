using System.Globalization;

namespace VfioUser.Tool.Checking;

/// <summary>Goes through rules one by one. One thread.</summary>
internal sealed class CheckRun(Subject subject)
{
    private string? _killer;

    /// <summary>Checks each rule, and after each that the server is still there.</summary>
    /// <param name="rules">With their topics.</param>
    /// <param name="checkedOne">Hears of each as it is done.</param>
    public IReadOnlyList<CheckedRule> Check(IEnumerable<(Topic Topic, Rule Rule)> rules, Action<CheckedRule> checkedOne)
    {
        List<CheckedRule> done = [];
        foreach ((Topic topic, Rule rule) in rules)
        {
            Finding finding = _killer is null ? Check(rule) : Finding.NotServed($"not checked: the server does not answer since {_killer}");
            CheckedRule result = new(topic.Name, rule.Name, rule.Heading, rule.Text, finding.Verdict, finding.Why);
            done.Add(result);
            checkedOne(result);
        }
        return done;
    }

    public static CheckSummary Count(IReadOnlyList<CheckedRule> rules) => new(
        rules.Count(rule => rule.Verdict == Verdict.Passed),
        rules.Count(rule => rule.Verdict == Verdict.Failed),
        rules.Count(rule => rule.Verdict == Verdict.Warning),
        rules.Count(rule => rule.Verdict == Verdict.NotServed));

    private Finding Check(Rule rule)
    {
        Finding finding = Judge(rule);
        try
        {
            using Conversation next = subject.Open();
            return finding;
        }
        catch (BrokenRuleException e)
        {
            // whatever it found, this is worse
            _killer = rule.Name;
            string before = finding.Why is null ? "" : string.Create(CultureInfo.InvariantCulture, $"{finding.Why}; ");
            return new Finding(Verdict.Failed, $"{before}after it no client is served: {e.Message}");
        }
    }

    private Finding Judge(Rule rule)
    {
        try
        {
            return rule.Check(subject);
        }
        catch (BrokenRuleException e)
        {
            return new Finding(Verdict.Failed, e.Message);
        }
        catch (NotServedException e)
        {
            return Finding.NotServed(e.Message);
        }
    }
}
