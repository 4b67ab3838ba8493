using System.IO.Compression;
using System.Reflection.Metadata;
using System.Xml.Linq;

namespace VfioUser.Packages.Tests;

[CollectionDefinition(nameof(PackedFeed))]
public class PackedFeedCollection : ICollectionFixture<PackedFeed>;

/// <summary>What is in each package.</summary>
[Collection(nameof(PackedFeed))]
public class PackageContentTests(PackedFeed packed)
{
    private static readonly Guid EmbeddedSource = new("0E8A571B-6926-466E-B4AD-8AB04611F5FE");

    public static TheoryData<string> Packages => [.. PackedFeed.All];

    public static TheoryData<string> Libraries => [.. PackedFeed.Libraries];

    [Theory]
    [MemberData(nameof(Packages))]
    public void A_package_has_its_metadata(string name)
    {
        using ZipArchive package = ZipFile.OpenRead(packed.PackageOf(name));

        XElement metadata = XDocument.Load(package.GetEntry(name + ".nuspec")!.Open()).Root!.Elements().First();
        string? Said(string element) => metadata.Elements().FirstOrDefault(child => child.Name.LocalName.Equals(element, StringComparison.Ordinal))?.Value;

        Said("license").Should().Be("BSD-3-Clause");
        Said("description").Should().NotBeNullOrEmpty();
        Said("tags").Should().Contain("vfio-user");
        metadata.Elements().Should().Contain(child => child.Name.LocalName == "repository" && child.Attribute("commit")!.Value.Length == 40);
        package.GetEntry(Said("icon")!)!.Length.Should().BePositive();
        using StreamReader readme = new(package.GetEntry(Said("readme")!)!.Open());
        readme.ReadLine().Should().Be(name is "VfioUser.Tool" ? "# vfio-user" : "# " + name, "each has a README of its own");
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_library_has_documentation_and_symbols_with_sources(string name)
    {
        using ZipArchive package = ZipFile.OpenRead(packed.PackageOf(name));
        using ZipArchive symbols = ZipFile.OpenRead(packed.PackageOf(name, "snupkg"));

        package.Entries.Should().Contain(entry => entry.FullName == $"lib/net10.0/{name}.dll").And.Contain(entry => entry.FullName == $"lib/net10.0/{name}.xml");
        using MemoryStream pdb = new();
        using (Stream packedPdb = symbols.GetEntry($"lib/net10.0/{name}.pdb")!.Open())
            packedPdb.CopyTo(pdb);
        pdb.Position = 0;
        MetadataReader reader = MetadataReaderProvider.FromPortablePdbStream(pdb).GetMetadataReader();
        int sources = reader.CustomDebugInformation.Count(handle => reader.GetGuid(reader.GetCustomDebugInformation(handle).Kind) == EmbeddedSource);
        sources.Should().BeGreaterThanOrEqualTo(reader.Documents.Count - 1).And.BePositive();
    }
}
