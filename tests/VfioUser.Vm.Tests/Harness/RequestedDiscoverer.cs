using Xunit.Abstractions;
using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>Finds the tests of long runs that are asked for.</summary>
public sealed class RequestedDiscoverer(IMessageSink sink) : FactDiscoverer(sink)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        Environment.GetEnvironmentVariable(factAttribute.GetNamedArgument<string>(nameof(RequestedFactAttribute.Variable))) is { Length: > 0 }
            ? base.Discover(discoveryOptions, testMethod, factAttribute) : [];
}
