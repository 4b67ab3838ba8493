using FluentAssertions;
using FluentAssertions.Execution;

namespace VfioUser;

/// <summary>Assertions on the result of an access to guest memory.</summary>
internal sealed class DmaResultAssertions(DmaResult subject)
{
    public void BeTrue(string because = "", params object[] becauseArgs) => Be(DmaStatus.Done, because, becauseArgs);

    public void BeFalse(string because = "", params object[] becauseArgs) => Execute.Assertion
        .ForCondition(!subject)
        .BecauseOf(because, becauseArgs)
        .FailWith("Expected an access that fails{reason}, but it is done.");

    public void Be(bool expected, string because = "", params object[] becauseArgs)
    {
        if (expected)
            BeTrue(because, becauseArgs);
        else
            BeFalse(because, becauseArgs);
    }

    public void Be(DmaStatus expected, string because = "", params object[] becauseArgs) => Execute.Assertion
        .ForCondition(subject.Status == expected && (bool)subject == (expected == DmaStatus.Done))
        .BecauseOf(because, becauseArgs)
        .FailWith("Expected {0}{reason}, but found {1}.", expected, subject.ToString());

    public void Be(DmaResult expected, string because = "", params object[] becauseArgs) => Execute.Assertion
        .ForCondition(subject == expected)
        .BecauseOf(because, becauseArgs)
        .FailWith("Expected {0}{reason}, but found {1}.", expected.ToString(), subject.ToString());
}
