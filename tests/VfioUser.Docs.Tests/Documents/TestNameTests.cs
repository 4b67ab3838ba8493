using System.Text.RegularExpressions;

namespace VfioUser.Docs.Tests.Documents;

/// <summary>A test's name has to say what is tested, without the names of its class and its neighbours.</summary>
public partial class TestNameTests
{
    [Fact]
    public void Names_of_tests_begin_with_no_pronoun()
    {
        IEnumerable<string> found =
            from file in Repository.Sources()
            where !file.Path.StartsWith("src/", StringComparison.Ordinal)
            from line in file.Lines
            let name = Pronoun().Match(line)
            where name.Success
            select $"{file.Path}: {name.Groups["name"].Value}";

        found.Should().BeEmpty();
    }

    [GeneratedRegex(@"\b(void|Task|class) (?<name>(It|Its|They|Their|This|That|These|Those|What|Whatever|Who|Whoever|Whose|Which|More)_\w*)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Pronoun();
}
