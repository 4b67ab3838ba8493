using Xunit.Sdk;

namespace VfioUser.Disks.Tests.Rbd;

/// <summary>A test with a Ceph cluster, under <c>ceph/with-ceph</c>; elsewhere it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Tests.Ceph.CephDiscoverer", "VfioUser.Disks.Tests")]
internal sealed class CephFactAttribute : FactAttribute;
