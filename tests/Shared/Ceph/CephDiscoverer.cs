using Xunit.Abstractions;
using Xunit.Sdk;

namespace VfioUser.Tests.Ceph;

/// <summary>Tests with a Ceph cluster: there are none where there is no cluster.</summary>
public sealed class CephDiscoverer(IMessageSink sink) : FactDiscoverer(sink)
{
    public override IEnumerable<IXunitTestCase> Discover(ITestFrameworkDiscoveryOptions discoveryOptions, ITestMethod testMethod, IAttributeInfo factAttribute) =>
        CephCluster.Folder is null ? [] : base.Discover(discoveryOptions, testMethod, factAttribute);
}
