using VfioUser.Vm.Tests.Harness;
using Xunit.Abstractions;

namespace VfioUser.Vm.Tests.Matrix;

/// <summary>One configuration of a machine and the servers of its devices.</summary>
public sealed record MatrixRow : IXunitSerializable
{
    public MachineMemory Memory { get; set; }

    /// <summary>Whether the servers trust the client not to shrink its memory, and map it in any case.</summary>
    public bool Trust { get; set; }

    public MachineIommu Iommu { get; set; }

    /// <summary>Whether the guest uses the interrupt pin, or else MSI-X.</summary>
    public bool Pin { get; set; }

    /// <summary>What is done in CI beyond what every row has.</summary>
    public MatrixSteps Steps { get; set; }

    public void Deserialize(IXunitSerializationInfo info)
    {
        Memory = info.GetValue<MachineMemory>(nameof(Memory));
        Trust = info.GetValue<bool>(nameof(Trust));
        Iommu = info.GetValue<MachineIommu>(nameof(Iommu));
        Pin = info.GetValue<bool>(nameof(Pin));
        Steps = info.GetValue<MatrixSteps>(nameof(Steps));
    }

    public void Serialize(IXunitSerializationInfo info)
    {
        info.AddValue(nameof(Memory), Memory);
        info.AddValue(nameof(Trust), Trust);
        info.AddValue(nameof(Iommu), Iommu);
        info.AddValue(nameof(Pin), Pin);
        info.AddValue(nameof(Steps), Steps);
    }

    public override string ToString() => $"{Memory}{(Trust ? ", trusted" : "")}, IOMMU {Iommu}, {(Pin ? "pin" : "MSI-X")}";
}
