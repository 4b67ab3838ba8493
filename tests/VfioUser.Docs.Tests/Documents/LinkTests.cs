using System.Text.RegularExpressions;

namespace VfioUser.Docs.Tests.Documents;

/// <summary>What documents point at is there: files, headings, projects.</summary>
public partial class LinkTests
{
    // what the template makes is called so in the documents
    private const string TemplatesProduct = "MyDevice";
    private const string TemplatesContent = "src/VfioUser.Templates/content/vfio-user-device";

    [Fact]
    public void Every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading()
    {
        IEnumerable<string> broken =
            from document in Repository.Documents()
            from link in document.Links
            where !link.Target.Contains("://", StringComparison.Ordinal) && !LeadsSomewhere(document, link.Target)
            select $"{document.Path}:{link.Line}: {link.Target}";

        broken.Should().BeEmpty();
    }

    [Fact]
    public void No_heading_stands_twice_in_a_document()
    {
        IEnumerable<string> twice =
            from document in Repository.Documents()
            from anchor in document.Anchors.CountBy(anchor => anchor, StringComparer.Ordinal)
            where anchor.Value > 1
            select $"{document.Path}: #{anchor.Key}";

        twice.Should().BeEmpty("a link leads to the first, and the second is a part that was pasted twice");
    }

    [Fact]
    public void Every_path_that_is_named_exists()
    {
        IEnumerable<string> missing =
            from document in Repository.Documents()
            from name in document.Names
            where PathInRepository().IsMatch(name.Text) && !Repository.Exists(name.Text)
            select $"{document.Path}:{name.Line}: {name.Text}";

        missing.Should().BeEmpty();
    }

    [Fact]
    public void Every_project_of_a_command_line_exists()
    {
        IEnumerable<string> missing =
            from document in Repository.Documents()
            from Match match in Project().Matches(document.Text)
            let project = match.Groups["project"].Value
            where !IsProject(project)
            select $"{document.Path}: {match.Value}";

        missing.Should().BeEmpty();
    }

    [Theory]
    [InlineData("## Its test", "its-test")]
    [InlineData("# Poll mode, and many devices", "poll-mode-and-many-devices")]
    [InlineData("### `Dma.TryRead` and 2 others", "dmatryread-and-2-others")]
    public void Anchors_are_made_as_GitHub_makes_them(string heading, string expected)
    {
        Document document = new("docs/x.md", [heading]);

        document.Anchors.Should().Equal(expected);
    }

    private static bool LeadsSomewhere(Document document, string target)
    {
        string[] parts = target.Split('#', 2);
        string path = parts[0].Length == 0
            ? document.Path
            : Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, Path.GetDirectoryName(document.Path)!, parts[0])));
        if (!Repository.Exists(path))
            return false;
        return parts.Length == 1 || new Document(path).Anchors.Contains(parts[1], StringComparer.Ordinal);
    }

    private static bool IsProject(string path)
    {
        string folder = path.StartsWith(TemplatesProduct + "/", StringComparison.Ordinal)
            ? Path.Combine(TemplatesContent, path[(TemplatesProduct.Length + 1)..].Replace(TemplatesProduct, "My-Device1", StringComparison.Ordinal))
            : path;
        return Repository.Exists(folder) && Directory.EnumerateFiles(Repository.PathOf(folder), "*.csproj").Any();
    }

    // docs/interop is QEMU's
    [GeneratedRegex("^(?!docs/interop/)(src|docs|samples|tests)/[^ *<>]+$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PathInRepository();

    [GeneratedRegex(@"(--project|dotnet test)\s+(?<project>[A-Za-z][\w./-]*/[\w./-]*\w)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Project();
}
