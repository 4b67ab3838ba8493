using System.Reflection;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>What <c>docs/porting.md</c> promises: no name of libvfio-user is missing, and no name of ours is wrong.</summary>
public class PortingGuideTests
{
    private static readonly Assembly[] Ours =
        [typeof(Command).Assembly, typeof(PciDevice).Assembly, typeof(VfioUserClient).Assembly, typeof(TestGuest).Assembly];

    [Fact]
    public void Every_public_name_of_libvfio_user_has_a_row_with_a_counterpart()
    {
        PortingGuide guide = PortingGuide.Read();

        HashSet<string> answered = [.. guide.Rows.Where(row => row.Counterpart.Length > 0).SelectMany(row => row.Theirs)];

        PortingGuide.TheirNames().Should().HaveCountGreaterThan(250).And.OnlyHaveUniqueItems();
        PortingGuide.TheirNames().Except(answered, StringComparer.Ordinal).Should().BeEmpty();
    }

    [Fact]
    public void No_row_is_about_something_else_and_none_is_there_twice()
    {
        PortingGuide guide = PortingGuide.Read();

        guide.Rows.SelectMany(row => row.Theirs).Should().OnlyHaveUniqueItems().And.BeSubsetOf(PortingGuide.TheirNames());
        guide.Rows.Should().OnlyContain(row => row.Theirs.Count > 0);
    }

    [Fact]
    public void Every_name_of_a_counterpart_is_public_here()
    {
        PortingGuide guide = PortingGuide.Read();

        guide.Rows.SelectMany(row => row.Ours).Distinct(StringComparer.Ordinal).Where(name => !IsOurs(name)).Should().BeEmpty();
    }

    [Theory]
    [InlineData("PciDevice", true)]
    [InlineData("RegisterOptions.OnRead", true)]
    [InlineData("PciDevice.AddBar", true)]
    [InlineData("MigrationState.PreCopy", true)]
    [InlineData("DmaLease.TryLease", false)]
    [InlineData("PciDevice.Migration", false)]
    [InlineData("Session", false)]
    [InlineData("vfu_run_ctx", false)]
    public void A_name_is_found_if_users_can_write_it(string name, bool found) => IsOurs(name).Should().Be(found);

    [Fact]
    public void An_empty_counterpart_is_seen()
    {
        PortingGuide guide = PortingGuide.Parse(
        [
            "| libvfio-user | here | how it differs |",
            "|---|---|---|",
            "| `vfu_log` | | |",
            "| `vfu_run_ctx`, `vfu_ctx` | `VfioUserServer.Run` | `Blocks` |",
            "",
            "| asked | here |",
            "|---|---|",
            "| `more` | |",
        ]);

        guide.Rows.Should().HaveCount(2);
        guide.Rows[0].Counterpart.Should().BeEmpty();
        guide.Rows[1].Theirs.Should().Equal("vfu_run_ctx", "vfu_ctx");
        guide.Rows[1].Ours.Should().Equal("VfioUserServer.Run");
    }

    private static bool IsOurs(string name)
    {
        string[] parts = name.Split('.');
        IEnumerable<Type> types = Ours.SelectMany(assembly => assembly.GetExportedTypes())
            .Where(type => string.Equals(type.Name.Split('`')[0], parts[0], StringComparison.Ordinal));
        return parts.Length switch
        {
            1 => types.Any(),
            2 => types.Any(type => HasMember(type, parts[1])),
            _ => false,
        };
    }

    private static bool HasMember(Type type, string name) =>
        type.GetMember(name, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy)
            .Any(member => member switch
            {
                MethodBase method => method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly,
                FieldInfo field => field.IsPublic,
                PropertyInfo property => property.GetMethod is { IsPublic: true } or { IsFamily: true },
                _ => false,
            });
}
