using System.Reflection;
using PublicApiGenerator;

namespace VfioUser.PublicApi.Tests;

/// <summary>What the packages promise stands in <c>Approved</c>, a file each: no change of it goes unseen.</summary>
public class PublicApiTests
{
    private static readonly ApiGeneratorOptions Options = new()
    {
        IncludeAssemblyAttributes = false,
        DenyNamespacePrefixes = [],
        ExcludeAttributes =
        [
            "System.Runtime.CompilerServices.IsReadOnlyAttribute",
            "System.Runtime.CompilerServices.CompilerGeneratedAttribute",
        ],
    };

    [Theory]
    [InlineData("VfioUser.Protocol")]
    [InlineData("VfioUser")]
    [InlineData("VfioUser.Client")]
    [InlineData("VfioUser.Testing")]
    [InlineData("VfioUser.Testing.Hosting")]
    [InlineData("VfioUser.Testing.Linux")]
    [InlineData("VfioUser.Hosting")]
    [InlineData("VfioUser.Disks")]
    [InlineData("VfioUser.Nvme")]
    [InlineData("VfioUser.Network")]
    [InlineData("VfioUser.Virtio")]
    public void The_public_api_is_the_approved_one(string assembly)
    {
        string approved = Path.Combine(AppContext.BaseDirectory, "Approved", assembly + ".txt");

        string api = Assembly.Load(assembly).GeneratePublicApi(Options).ReplaceLineEndings("\n") + "\n";

        string received = Path.Combine(Path.GetTempPath(), assembly + ".received.txt");
        bool isApproved = File.Exists(approved) && string.Equals(File.ReadAllText(approved), api, StringComparison.Ordinal);
        if (!isApproved)
            File.WriteAllText(received, api);
        isApproved.Should().BeTrue($"the public API should change on purpose: if it did, copy {received} over Approved/{assembly}.txt, and say so in CHANGELOG.md");
    }
}
