namespace Verilog.Tests.Support;

/// <summary>A test of simulated hardware. Skipped where there is no Verilator, unless <c>VFIO_USER_VERILATOR_REQUIRED</c> is set.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class VerilatorFactAttribute : FactAttribute
{
    // where it is required, the test runs, and fails with the same words where it builds the model
    public VerilatorFactAttribute() => Skip = Models.IsRequired ? null : Models.Missing;
}

/// <summary>As <see cref="VerilatorFactAttribute"/>, for a test with several rows.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class VerilatorTheoryAttribute : TheoryAttribute
{
    public VerilatorTheoryAttribute() => Skip = Models.IsRequired ? null : Models.Missing;
}
