namespace VfioUser.Tool.Checking;

/// <summary>Checks rules one by one. One thread.</summary>
internal sealed class CheckRun(Subject subject)
{
    private string? _fatalRule;

    /// <summary>Checks each rule, and after each that the server still accepts a client.</summary>
    /// <param name="rules">With their topics.</param>
    /// <param name="checkedOne">Called after each.</param>
    public IReadOnlyList<CheckedRule> Check(IEnumerable<(Topic Topic, Rule Rule)> rules, Action<CheckedRule> checkedOne)
    {
        subject.EndsWithClients = EndsWithClients();
        List<CheckedRule> done = [];
        foreach ((Topic topic, Rule rule) in rules)
        {
            Finding finding = _fatalRule is null ? Check(topic, rule) : new Finding(Verdict.NotChecked, $"the server does not answer since {_fatalRule}");
            CheckedRule result = new(topic.Name, rule.Name, finding.Heading ?? rule.Heading, rule.Text, finding.Verdict, finding.Why);
            done.Add(result);
            checkedOne(result);
        }
        return done;
    }

    public static CheckSummary Count(IReadOnlyList<CheckedRule> rules) => new(
        rules.Count(rule => rule.Verdict == Verdict.Passed),
        rules.Count(rule => rule.Verdict == Verdict.Failed),
        rules.Count(rule => rule.Verdict == Verdict.Warning),
        rules.Count(rule => rule.Verdict == Verdict.NotServed),
        rules.Count(rule => rule.Verdict == Verdict.NotChecked));

    private Finding Check(Topic topic, Rule rule)
    {
        int process = subject.ProcessId;
        Finding finding = Judge(topic, rule, out bool wasSilent);
        try
        {
            using Conversation next = subject.Open();
            // with a server that answers nothing but VERSION, every rule would wait for the timeout
            if (wasSilent)
                next.StaysInSync();
        }
        catch (BrokenRuleException e)
        {
            // worse than any finding of the rule
            _fatalRule = rule.Name;
            return new Finding(Verdict.Failed, $"{(finding.Why is null ? "" : finding.Why + "; ")}after it no client is served: {e.Message}");
        }
        return !subject.EndsWithClients && finding.Verdict == Verdict.Passed && subject.ProcessId != process
            ? Finding.Warning("the server's process ended and was started again; whether it crashed cannot be seen from here")
            : finding;
    }

    private Finding Judge(Topic topic, Rule rule, out bool wasSilent)
    {
        wasSilent = false;
        try
        {
            if (topic.NeedsDevice)
                subject.Device.Prepare();
            return rule.Check(subject);
        }
        catch (BrokenRuleException e)
        {
            wasSilent = e is SilentServerException;
            return new Finding(Verdict.Failed, e.Message) { Heading = e.Heading };
        }
        catch (NotServedException e)
        {
            return Finding.NotServed(e.Message);
        }
    }

    // the specification lets a server end with its client
    private bool EndsWithClients()
    {
        try
        {
            subject.Open().Dispose();
            int process = subject.ProcessId;
            subject.Open().Dispose();
            return process != subject.ProcessId;
        }
        catch (SilentServerException e)
        {
            throw new ToolException($"The server cannot be checked: {e.Message}. Most serve one client at a time: is another one connected?");
        }
        catch (BusyServerException e)
        {
            throw new ToolException($"The server cannot be checked: {e.Message}.");
        }
        catch (BrokenRuleException)
        {
            // the rules find the cause
            return false;
        }
    }
}
