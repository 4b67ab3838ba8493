namespace VfioUser.Vm.Tests.Harness;

/// <summary>A test that boots a guest. Skipped where there is no VM, unless <c>VFIO_USER_VM_REQUIRED</c> is set.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class VmFactAttribute : FactAttribute
{
    public VmFactAttribute()
    {
        // When a VM is required the test runs, and fails with the same words where it starts QEMU.
        if (!VmFolder.IsRequired)
        {
            Skip = VmFolder.Missing;
        }
    }
}

/// <summary>As <see cref="VmFactAttribute"/>, for a test with several rows.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class VmTheoryAttribute : TheoryAttribute
{
    public VmTheoryAttribute()
    {
        if (!VmFolder.IsRequired)
        {
            Skip = VmFolder.Missing;
        }
    }
}
