namespace VfioUser.Vm.Tests.Harness;

/// <summary>Programs that run in the guest: the files of the folder <c>vm</c>, which lie beside the test assembly.</summary>
internal static class Script
{
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "vm", name);
}
