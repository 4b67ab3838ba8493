using System.Globalization;
using VfioUser.PowerLoss.Tests.Load;
using Xunit.Abstractions;

namespace VfioUser.PowerLoss.Tests;

/// <summary>What a guest has flushed, or written with Force Unit Access, is there after a power loss.</summary>
public sealed class PowerLossTests(ITestOutputHelper output)
{
    private const string CutsVariable = "VFIO_USER_POWER_CUTS";
    private const int Enough = 20; // for a disk that loses writes to be found out

    private static readonly int Cuts = Environment.GetEnvironmentVariable(CutsVariable) is { } number ? int.Parse(number, CultureInfo.InvariantCulture) : 3;

    [Theory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public Task Flushed_and_durable_writes_outlast_a_power_loss_of_the_nbd_server(Device device) => OutlastAsync(device, Backend.Nbd);

    [MountTheory]
    [InlineData(Device.Nvme, Backend.Writeback)]
    [InlineData(Device.Nvme, Backend.None)]
    [InlineData(Device.Nvme, Backend.Writethrough)]
    [InlineData(Device.Nvme, Backend.DirectSync)]
    [InlineData(Device.VirtioBlock, Backend.Writeback)]
    [InlineData(Device.VirtioBlock, Backend.None)]
    [InlineData(Device.VirtioBlock, Backend.Writethrough)]
    [InlineData(Device.VirtioBlock, Backend.DirectSync)]
    public Task Flushed_and_durable_writes_outlast_a_power_loss_below_the_file(Device device, Backend backend) => OutlastAsync(device, backend);

    [Theory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public async Task Medium_whose_flush_does_nothing_is_found_out(Device device)
    {
        using PowerCuts cuts = new(seed: 1, flushIsHonest: false);

        (await LossesAsync(cuts, device, Backend.Nbd)).Should().BeTrue();
    }

    [Theory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public async Task Disk_whose_flush_does_nothing_is_found_out(Device device)
    {
        using PowerCuts cuts = new(seed: 2) { Wrap = static disk => new CarelessDisk(disk) { Flushes = false } };

        (await LossesAsync(cuts, device, Backend.Nbd)).Should().BeTrue();
    }

    [Theory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public async Task Disk_whose_durable_writes_are_not_is_found_out(Device device)
    {
        using PowerCuts cuts = new(seed: 3) { Wrap = static disk => new CarelessDisk(disk) { WritesDurably = false } };

        (await LossesAsync(cuts, device, Backend.Nbd)).Should().BeTrue();
    }

    [MountTheory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public async Task File_with_unsafe_cache_loses_what_was_flushed(Device device)
    {
        using PowerCuts cuts = new(seed: 4);

        (await LossesAsync(cuts, device, Backend.Unsafe)).Should().BeTrue();
    }

    [Theory]
    [InlineData(Device.Nvme)]
    [InlineData(Device.VirtioBlock)]
    public async Task Guest_that_lives_on_is_told_by_the_next_flush_what_its_nbd_server_has_lost(Device device)
    {
        int told = 0;
        for (int seed = 0; seed < Math.Max(Cuts, 5); seed++)
        {
            using PowerCuts cuts = new(seed, comesBack: true);

            (List<string> wrong, Operation? failed) = await cuts.LiveThroughAsync(device, serverMayLoseWrites: true);

            wrong.Should().BeEmpty("this is what seed {0} has left", seed);
            told += failed is { Kind: OperationKind.Flush } ? 1 : 0;
        }
        output.WriteLine($"{told} guests were told.");
        told.Should().BePositive();
    }

    private async Task OutlastAsync(Device device, Backend backend)
    {
        using PowerCuts cuts = new(seed: (int)device * 100 + (int)backend);

        for (int i = 0; i < Cuts; i++)
            (await cuts.CutAsync(device, backend)).Should().BeEmpty("this is what cut {0} has left", i);

        output.WriteLine($"{cuts.Medium.Cuts} cuts: {cuts.Load.DurableOperations} durable writes were there, {cuts.Medium.LostSectors} sectors had lost what was not.");
        cuts.Medium.Cuts.Should().Be(Cuts);
        cuts.Load.DurableOperations.Should().BePositive();
    }

    private static async Task<bool> LossesAsync(PowerCuts cuts, Device device, Backend backend)
    {
        for (int i = 0; i < Enough; i++)
        {
            if ((await cuts.CutAsync(device, backend)).Count > 0)
                return true;
        }
        return false;
    }
}
