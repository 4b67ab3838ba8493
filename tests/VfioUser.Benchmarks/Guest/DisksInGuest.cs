using System.Globalization;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Benchmarks;

/// <summary>fio in a guest on two disks, in turn, as rows of a table.</summary>
/// <param name="machine">The guest.</param>
/// <param name="sample">Our disk, as /dev has it.</param>
/// <param name="qemu">QEMU's own.</param>
internal sealed class DisksInGuest(VirtualMachine machine, string sample, string qemu)
{
    public const int Alternations = 5;
    public const int Seconds = 2;
    private static readonly TimeSpan Timeout = TimeSpan.FromMinutes(3);

    public async Task Measure(InGuestRow row)
    {
        List<double> ours = [], theirs = [], ratios = [];
        for (int i = 0; i < Alternations; i++)
        {
            theirs.Add(await Fio(qemu, row));
            ours.Add(await Fio(sample, row));
            ratios.Add(ours[^1] / theirs[^1]);
        }
        double ratio = Median(ratios);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {(row.Write ? "write" : "read")} | {row.BlockKiB} | {row.Depth} | {Median(theirs):N0} | {Median(ours):N0} | {ratio:F2} | ≥ {row.Target:F1} | {(ratio >= row.Target ? "met" : "missed")} |"));
    }

    private async Task<double> Fio(string disk, InGuestRow row)
    {
        string output = await machine.Output(
            $"fio --name=job --filename=/dev/{disk} --direct=1 --ioengine=libaio --iodepth={row.Depth} --bs={row.BlockKiB}k --rw={(row.Write ? "randwrite" : "randread")} " +
            $"--time_based --runtime={Seconds} --minimal", Timeout);
        return FioOutput.Iops(output, row.Write);
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}
