using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A test with a guest and a Ceph cluster, under <c>with-ceph</c>; elsewhere it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Tests.Ceph.CephDiscoverer", "VfioUser.Vm.Tests")]
internal sealed class CephFactAttribute : FactAttribute;
