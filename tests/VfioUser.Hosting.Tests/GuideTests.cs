namespace VfioUser.Hosting.Tests.Guide;

/// <summary>What <c>docs/hosting.md</c> shows is code that compiles and runs.</summary>
public class GuideTests
{
    [Fact]
    public void Every_snippet_of_the_guide_stands_in_the_code()
    {
        string code = Lines(Read("GuideSnippets.cs"));

        string[] snippets = [.. Read("hosting.md").Split("```csharp\n").Skip(1).Select(text => text.Split("```")[0])];

        snippets.Should().HaveCountGreaterThan(3).And.OnlyContain(snippet => code.Contains(Lines(snippet), StringComparison.Ordinal));
    }

    private static string Read(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Docs", name));

    // wherever they are indented
    private static string Lines(string text) => string.Join('\n', text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
}
