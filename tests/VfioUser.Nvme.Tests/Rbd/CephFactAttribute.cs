using Xunit.Sdk;

namespace VfioUser.Nvme.Tests.Rbd;

/// <summary>A test with a Ceph cluster, under <c>with-ceph</c>; elsewhere it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Tests.Ceph.CephDiscoverer", "VfioUser.Nvme.Tests")]
internal sealed class CephFactAttribute : FactAttribute;
