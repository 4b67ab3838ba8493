namespace VfioUser.Vm.Tests.Matrix;

/// <summary>What happens to a machine in some rows only: each takes seconds.</summary>
[Flags]
public enum MatrixSteps
{
    None = 0,

    /// <summary>Memory is plugged in, where the devices see it.</summary>
    Memory = 1 << 0,

    /// <summary>The machine is reset while it writes.</summary>
    Reset = 1 << 1,

    /// <summary>The kernel boots itself.</summary>
    Kexec = 1 << 2,

    All = Memory | Reset | Kexec,
}
