namespace VfioUser.Protocol.Tests.Negotiation;

/// <summary>The specification's three cases for a client that offered a twin socket.</summary>
public class TwinSocketOutcomeTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("""{"twin_socket":{}}""")]
    [InlineData("""{"twin_socket":{"fd_index":0}}""")]
    [InlineData("""{"twin_socket":{"supported":false}}""")]
    [InlineData("""{"twin_socket":{"supported":false,"fd_index":-7}}""")]
    public void False_or_absent_means_not_enabled(string capabilities)
    {
        TwinSocketOutcome outcome = Of(capabilities, fdCount: 1);

        outcome.Should().Be(TwinSocketOutcome.NotEnabled);
        outcome.IsEnabled.Should().BeFalse();
        outcome.IsInconsistent.Should().BeFalse();
        outcome.FdIndex.Should().BeNull();
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0, 16)]
    [InlineData(1, 2)]
    [InlineData(15, 16)]
    public void True_with_the_index_of_a_descriptor_means_enabled(int index, int fdCount)
    {
        TwinSocketOutcome outcome = Of($$$"""{"twin_socket":{"supported":true,"fd_index":{{{index}}}}}""", fdCount);

        outcome.Should().Be(TwinSocketOutcome.Enabled(index));
        outcome.IsEnabled.Should().BeTrue();
        outcome.FdIndex.Should().Be(index);
    }

    [Theory]
    [InlineData("""{"supported":true}""", 0)]
    [InlineData("""{"supported":true}""", 1)]
    [InlineData("""{"supported":true,"fd_index":0}""", 0)]
    [InlineData("""{"supported":true,"fd_index":1}""", 1)]
    [InlineData("""{"supported":true,"fd_index":-1}""", 1)]
    [InlineData("""{"supported":true,"fd_index":2147483647}""", 16)]
    public void Replies_of_no_other_case_are_inconsistent(string twin, int fdCount)
    {
        TwinSocketOutcome outcome = Of($$$"""{"twin_socket":{{{twin}}}}""", fdCount);

        outcome.Should().Be(TwinSocketOutcome.Inconsistent);
        outcome.IsInconsistent.Should().BeTrue();
        outcome.FdIndex.Should().BeNull();
    }

    [Fact]
    public void Outcomes_have_readable_names()
    {
        TwinSocketOutcome.Enabled(2).ToString().Should().Be("Enabled(2)");
        TwinSocketOutcome.NotEnabled.ToString().Should().Be("NotEnabled");
        default(TwinSocketOutcome).Should().Be(TwinSocketOutcome.NotEnabled);
    }

    private static TwinSocketOutcome Of(string capabilities, int fdCount) =>
        TwinSocketOutcome.Of(Payload.Parse($$$"""{"capabilities":{{{capabilities}}}}"""), fdCount);
}
