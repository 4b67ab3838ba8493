namespace VfioUser.Limits.Tests;

/// <summary>What a process does that has no descriptors left, or may pass no more of them on.</summary>
public sealed class LimitTests
{
    [Fact]
    public void Descriptors_that_this_process_cannot_hold_are_the_messages_problem_and_not_the_connections() =>
        ScenarioProcess.ShouldPass(nameof(ReceivingScenario));

    [Fact]
    public void A_server_that_cannot_let_a_client_in_tries_again_later() =>
        ScenarioProcess.ShouldPass(nameof(AcceptingScenario));

    [Fact]
    public void Descriptors_that_cannot_be_passed_on_are_an_error_and_not_the_end_of_the_conversation() =>
        ScenarioProcess.ShouldPass(nameof(SendingScenario));

    [Fact]
    [Trait("Category", "Long")]
    public void Regions_of_one_file_are_limited_by_neither_mappings_nor_descriptors() =>
        ScenarioProcess.ShouldPass(nameof(MappingScenario));
}
