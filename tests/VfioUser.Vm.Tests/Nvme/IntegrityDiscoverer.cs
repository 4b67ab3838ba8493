using Xunit.Abstractions;
using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>Finds the tests of <c>vm/integrity</c> if they are asked for.</summary>
public sealed class IntegrityDiscoverer(IMessageSink sink) : FactDiscoverer(sink)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        NvmeIntegrityTests.Minutes is null ? [] : base.Discover(discoveryOptions, testMethod, factAttribute);
}
