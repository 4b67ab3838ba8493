namespace VfioUser.Docs.Tests.Documents;

/// <summary>C# and Verilog in documents is code that is compiled, and mostly run: it stands in a test or a sample, word for word.</summary>
public class SnippetTests
{
    [Theory]
    [InlineData("csharp", "cs")]
    [InlineData("verilog", "v")]
    public void Every_snippet_stands_in_a_compiled_file(string language, string extension)
    {
        IReadOnlyList<SourceFile> sources = Repository.Sources(extension);

        IEnumerable<string> missing = Repository.Documents().SelectMany(document => document.Blocks)
            .Where(block => string.Equals(block.Language, language, StringComparison.Ordinal) && !sources.Any(source => source.Contains(block.Lines)))
            .Select(block => $"{block.Path}:{block.Line}: {string.Join('\n', block.Lines)}");

        missing.Should().BeEmpty("snippets are copied from code that compiles");
    }

    [Fact]
    public void Every_block_has_a_known_language()
    {
        string[] known = ["csharp", "sh", "console", "xml", "json", "ini", "text", "c", "verilog"];

        IEnumerable<string> others = Repository.Documents().SelectMany(document => document.Blocks)
            .Where(block => !known.Contains(block.Language, StringComparer.Ordinal))
            .Select(block => $"{block.Path}:{block.Line}: '{block.Language}'");

        others.Should().BeEmpty("what is spelled otherwise would not be checked");
    }

    [Theory]
    [InlineData("a();\nb();", true)]
    [InlineData("    a();\n    b();", true)] // indented as a whole
    [InlineData("{\n    a();", true)]
    [InlineData("a();\n    b();", false)] // indented otherwise
    [InlineData("a();\nc();", false)] // something left out
    [InlineData("a()", false)] // half a line
    public void A_snippet_is_found_as_whole_lines_in_a_row(string snippet, bool expected)
    {
        SourceFile source = new("File.cs", ["void M()", "{", "    a();", "    b();", "", "    c();", "}"]);

        bool found = source.Contains(snippet.Split('\n'));

        found.Should().Be(expected);
    }
}
