using Xunit.Abstractions;
using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A test of <c>vm/integrity</c>, which takes minutes; elsewhere it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Vm.Tests.Nvme.IntegrityDiscoverer", "VfioUser.Vm.Tests")]
internal sealed class IntegrityFactAttribute : FactAttribute;

/// <summary>Finds the tests if they are asked for.</summary>
public sealed class IntegrityDiscoverer(IMessageSink sink) : FactDiscoverer(sink)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        NvmeIntegrityTests.Minutes is null ? [] : base.Discover(discoveryOptions, testMethod, factAttribute);
}
