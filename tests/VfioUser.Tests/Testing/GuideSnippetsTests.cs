using System.Text.RegularExpressions;

namespace VfioUser.Tests;

/// <summary>Holds <c>docs/testing.md</c> against the code that is compiled and run.</summary>
public partial class GuideSnippetsTests
{
    [Fact]
    public void Every_snippet_of_the_guide_is_code_that_runs()
    {
        string code = Normal(Text("GuideSnippets.cs") + "\n" + Text("GuideDevice.cs"));

        string[] snippets = [.. Snippet().Matches(Text("testing.md")).Select(match => match.Groups["code"].Value)];

        snippets.Should().HaveCountGreaterThan(8);
        foreach (string snippet in snippets)
            code.Should().Contain(Normal(snippet));
    }

    [GeneratedRegex("```csharp\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Snippet();

    // the same words on the same lines; where the lines begin is another matter in a document
    private static string Normal(string text) => string.Join('\n', text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0));

    private static string Text(string name)
    {
        using StreamReader reader = new(typeof(GuideSnippetsTests).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
