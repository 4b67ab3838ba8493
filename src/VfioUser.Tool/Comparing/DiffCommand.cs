using System.CommandLine;
using System.Globalization;
using DiffPlex;
using DiffPlex.Model;
using VfioUser.Tool.CommandLine;
using VfioUser.Tool.Faults;
using VfioUser.Tool.Recording;
using VfioUser.Tool.Tracing;

namespace VfioUser.Tool.Comparing;

/// <summary><c>vfio-user diff</c>: compares two recordings, exchange by exchange.</summary>
internal static class DiffCommand
{
    // two recordings that have nothing in common must not fill a terminal
    private const int MaxReported = 1000;

    public static Command Create(Terminal terminal)
    {
        Command command = new("diff", "Compares two recordings: which commands and replies are only in one of them");
        Argument<string> first = new("A") { Description = "A recording of trace --record" };
        Argument<string> second = new("B") { Description = "Another one" };
        Option<string[]> ignore = new("--ignore") { Description = "A command whose replies need not be the same" };
        first.Validators.Add(FilePath.NotEmpty);
        second.Validators.Add(FilePath.NotEmpty);
        ignore.Validators.Add(result =>
        {
            if (result.Tokens.FirstOrDefault(token => !CommandName.TryParse(token.Value, out _)) is { } unknown)
                result.AddError($"--ignore: '{unknown.Value}' is no command; write REGION_READ, VERSION and so on.");
        });
        command.Add(first);
        command.Add(second);
        FilterArguments filter = FilterArguments.AddTo(command);
        command.Add(ignore);
        command.SetAction(parsed =>
        {
            HashSet<Protocol.Command> ignored = [.. (parsed.GetValue(ignore) ?? []).Select(name => CommandName.TryParse(name, out Protocol.Command one) ? one : default)];
            return Compare(terminal, Read(parsed.GetRequiredValue(first)), Read(parsed.GetRequiredValue(second)));

            IReadOnlyList<Exchange> Read(string file)
            {
                ExchangeList exchanges = new(ignored);
                ITraceSink sink = filter.Before(exchanges, parsed);
                using RecordingReader recording = new(file);
                while (recording.Next() is { } record)
                {
                    terminal.Stop.ThrowIfCancellationRequested();
                    exchanges.Number++;
                    record.PassTo(sink);
                }
                if (recording.IsCutOff)
                    terminal.Error.WriteLine(RecordingReader.CutOff);
                return exchanges.All;
            }
        });
        return command;
    }

    private static int Compare(Terminal terminal, IReadOnlyList<Exchange> first, IReadOnlyList<Exchange> second)
    {
        DiffResult result = Differ.Instance.CreateLineDiffs(Keys(first), Keys(second), ignoreWhitespace: false);
        int printed = 0;
        int removed = 0;
        int added = 0;
        foreach (DiffBlock block in result.DiffBlocks)
        {
            for (int i = 0; i < block.DeleteCountA; i++)
                Print(terminal.Red("-"), first[block.DeleteStartA + i]);
            for (int i = 0; i < block.InsertCountB; i++)
                Print(terminal.Green("+"), second[block.InsertStartB + i]);
            removed += block.DeleteCountA;
            added += block.InsertCountB;
        }
        if (printed > MaxReported)
            terminal.Out.WriteLine("more differences are counted, and not printed");
        terminal.Out.WriteLine($"{first.Count - removed} the same, {removed} only in the first, {added} only in the second");
        return removed + added == 0 ? ExitCode.Success : ExitCode.Failure;

        void Print(string sign, Exchange exchange)
        {
            if (printed++ < MaxReported)
                terminal.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{sign} {exchange.Number,6}  {exchange.Text}"));
        }
    }

    private static string Keys(IReadOnlyList<Exchange> exchanges) => string.Join('\n', exchanges.Select(exchange => exchange.Key));
}
