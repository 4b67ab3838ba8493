using FluentAssertions;
using VfioUser.Vm.Tests.Harness;
using Xunit.Abstractions;

namespace VfioUser.Vm.Tests.Matrix;

/// <summary>
/// Machines in the configurations that people run. Which rows there are, and why not all, is in docs/interoperability.md.
/// </summary>
public class GuestMatrixTests(ITestOutputHelper output)
{
    // vm/long-run
    private static readonly bool IsLongRun = Environment.GetEnvironmentVariable("VFIO_USER_VM_ALL_STEPS") is "1" or "true";

    private static readonly string[] Domains = ["identity", "DMA", "DMA-FQ"];

    /// <summary>Each kind of memory with each kind of IOMMU that can matter to it.</summary>
    public static TheoryData<MatrixRow> Rows
    {
        get
        {
            TheoryData<MatrixRow> rows = new()
            {
                Row(MachineMemory.SealedMemfd, MachineIommu.None, MatrixSteps.All),
                Row(MachineMemory.SealedMemfd, MachineIommu.Strict, MatrixSteps.Reset),
                Row(MachineMemory.TmpfsFile, MachineIommu.Passthrough, MatrixSteps.Memory, pin: true),
                Row(MachineMemory.NotShared, MachineIommu.None, MatrixSteps.Memory | MatrixSteps.Reset, pin: true),
                Row(MachineMemory.NotShared, MachineIommu.Strict, MatrixSteps.None),
            };
            bool huge = HugePages.Have((long)MatrixMachine.MemorySize << 20);

            // what CI has no time for: its rows have each way to memory, IOMMU and interrupts
            if (IsLongRun)
            {
                rows.Add(Row(MachineMemory.SealedMemfd, MachineIommu.Passthrough, MatrixSteps.Memory));
                rows.Add(Row(MachineMemory.UnsealedMemfd, MachineIommu.None, MatrixSteps.Memory));
                rows.Add(Row(MachineMemory.UnsealedMemfd, MachineIommu.Strict, MatrixSteps.Reset));
                rows.Add(Row(MachineMemory.UnsealedMemfd, MachineIommu.Strict, MatrixSteps.None, trust: true));
                rows.Add(Row(MachineMemory.TmpfsFile, MachineIommu.None, MatrixSteps.Kexec, trust: true));
                rows.Add(Row(MachineMemory.TmpfsFile, MachineIommu.Passthrough, MatrixSteps.Memory));
                rows.Add(Row(MachineMemory.SealedMemfd, MachineIommu.None, MatrixSteps.All, pin: true));
                rows.Add(Row(MachineMemory.UnsealedMemfd, MachineIommu.Strict, MatrixSteps.All, pin: true));
                rows.Add(Row(MachineMemory.NotShared, MachineIommu.None, MatrixSteps.All));
                if (huge)
                {
                    rows.Add(Row(MachineMemory.HugePages, MachineIommu.None, MatrixSteps.Reset));
                    rows.Add(Row(MachineMemory.HugePages, MachineIommu.Strict, MatrixSteps.None, trust: true));
                    rows.Add(Row(MachineMemory.HugePages, MachineIommu.None, MatrixSteps.All, pin: true));
                }
            }

            return rows;
        }
    }

    [VmTheory]
    [MemberData(nameof(Rows))]
    public async Task Devices_work_whatever_the_machine_does(MatrixRow row)
    {
        await using var matrix = new MatrixMachine(row.Trust);
        try
        {
            await Live(matrix, row);
        }
        finally
        {
            output.WriteLine(matrix.Log);
        }
    }

    [VmFact]
    public async Task Devices_work_in_one_machine_after_the_other()
    {
        await using var matrix = new MatrixMachine(trust: false);
        await matrix.Start(MachineMemory.NotShared, MachineIommu.None, pin: false);
        string sums = await matrix.Fill();
        await matrix.KillWhileItWrites();

        await matrix.Start(MachineMemory.SealedMemfd, MachineIommu.Strict, pin: false);
        (await matrix.Sums()).Should().Be(sums);
        await matrix.UseEverything();
        await matrix.KillWhileItWrites();

        await matrix.Start(MachineMemory.UnsealedMemfd, MachineIommu.None, pin: false);
        (await matrix.Sums()).Should().Be(sums);
        await matrix.UseEverything();
        await matrix.PowerOff();
    }

    private static async Task Live(MatrixMachine matrix, MatrixRow row)
    {
        await matrix.Start(row.Memory, row.Iommu, row.Pin);
        await matrix.UseEverything();
        string sums = await matrix.Fill();

        await matrix.Rebind();
        (await matrix.Sums()).Should().Be(sums);
        await matrix.UseCards();

        if (row.Iommu != MachineIommu.None)
        {
            foreach (string domain in Domains)
            {
                await matrix.ChangeDomain(domain);
                (await matrix.Sums()).Should().Be(sums);
                await matrix.WriteAndVerify();
            }

            await matrix.RunUserDriver();
            (await matrix.Sums()).Should().Be(sums);
        }

        MatrixSteps steps = IsLongRun ? MatrixSteps.All : row.Steps;
        // an IOMMU hides from devices what memory there is, unless it lets all through; and huge pages are counted
        if (steps.HasFlag(MatrixSteps.Memory) && row.Iommu != MachineIommu.Strict && row.Memory != MachineMemory.HugePages)
        {
            await matrix.PlugMemory(row.Memory, "first", stopped: false);
            await matrix.PlugMemory(row.Memory, "second", stopped: true);
        }

        await matrix.Reboot();
        (await matrix.Sums()).Should().Be(sums);
        await matrix.UseEverything();

        if (steps.HasFlag(MatrixSteps.Reset))
        {
            await matrix.ResetWhileItWrites();
            (await matrix.Sums()).Should().Be(sums);
            await matrix.UseEverything();
        }

        if (steps.HasFlag(MatrixSteps.Kexec))
        {
            await matrix.Kexec();
            (await matrix.Sums()).Should().Be(sums);
            await matrix.UseEverything();
        }

        await matrix.PowerOff();
    }

    private static MatrixRow Row(MachineMemory memory, MachineIommu iommu, MatrixSteps steps, bool pin = false, bool trust = false) =>
        new() { Memory = memory, Trust = trust, Iommu = iommu, Pin = pin, Steps = steps };
}
