using Xunit.Sdk;

namespace VfioUser.Vm.Tests.Harness;

/// <summary>A test of a long run, which a script beside the guests' asks for by an environment variable; elsewhere it does not exist.</summary>
/// <param name="variable">It runs where that is set.</param>
[AttributeUsage(AttributeTargets.Method)]
[XunitTestCaseDiscoverer("VfioUser.Vm.Tests.Harness.RequestedDiscoverer", "VfioUser.Vm.Tests")]
internal sealed class RequestedFactAttribute(string variable) : FactAttribute
{
    public string Variable => variable;
}
