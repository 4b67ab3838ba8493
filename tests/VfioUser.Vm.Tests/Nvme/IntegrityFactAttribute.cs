using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>A test of <c>vm/integrity</c>, which takes minutes; elsewhere it does not exist.</summary>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Vm.Tests.Nvme.IntegrityDiscoverer", "VfioUser.Vm.Tests")]
internal sealed class IntegrityFactAttribute : FactAttribute;
