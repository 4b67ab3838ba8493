using VfioUser.PowerLoss.Tests.Guests;
using VfioUser.PowerLoss.Tests.Load;
using VfioUser.PowerLoss.Tests.Medium;

namespace VfioUser.PowerLoss.Tests;

/// <summary>Boots a guest on a medium, has it write, cuts the power, and looks what is there; again and again.</summary>
internal sealed class PowerCuts : IDisposable
{
    private const int Size = 2 << 20;
    private const int Sectors = Size / Operation.SectorSize;
    private const int MostRequests = 400; // before a cut

    private static readonly NbdDiskOptions GivesUp = new() { GiveUpAfter = TimeSpan.Zero, RetryInterval = TimeSpan.FromMilliseconds(1) };

    private readonly Random _random;
    private readonly FaultServer _server;
    private readonly Ledger _ledger = new(Sectors);

    public PowerCuts(int seed, bool flushIsHonest = true, bool comesBack = false)
    {
        _random = new Random(seed);
        Medium = new VolatileMedium(Size, new Random(seed)) { FlushIsHonest = flushIsHonest };
        _server = new FaultServer(Medium, seed) { ComesBack = comesBack };
        Load = new Workload(_ledger, Sectors, _random) { ComparesReads = !comesBack };
    }

    public VolatileMedium Medium { get; }

    public Workload Load { get; }

    /// <summary>Changes the disk before a guest gets it.</summary>
    public Func<Disk, Disk> Wrap { get; init; } = static disk => disk;

    /// <summary>Cuts the power once.</summary>
    /// <returns>The sectors that have what they must not have, and what that is.</returns>
    public async Task<List<string>> CutAsync(Device device, Backend backend)
    {
        int blockSize = _random.Next(2) == 0 ? 512 : 4096;
        using (MountedFile? file = backend == Backend.Nbd ? null : new MountedFile(_server))
        {
            Disk disk = Wrap(await OpenAsync(backend, file));
            using IBlockGuest guest = NewGuest(device, disk, blockSize);
            bool cacheIsOff = disk.HasVolatileCache && backend != Backend.Unsafe && _random.Next(4) == 0;
            if (cacheIsOff)
                guest.TurnCacheOff();
            Medium.CutAfter(_random.Next(1, MostRequests));
            Operation? failed = Load.Run(guest, answeredIsDurable: cacheIsOff || !disk.HasVolatileCache);
            failed.Should().NotBeNull();
        }
        _server.Start();
        return await CheckAsync(device, backend);
    }

    /// <summary>Cuts the power of the NBD server, which comes back, and not the guest's.</summary>
    /// <param name="device">The guest's.</param>
    /// <param name="serverMayLoseWrites">As the disk is told.</param>
    /// <returns>As <see cref="CutAsync"/>, and what failed.</returns>
    public async Task<(List<string> Wrong, Operation? Failed)> LiveThroughAsync(Device device, bool serverMayLoseWrites)
    {
        NbdDiskOptions options = new() { ServerMayLoseWrites = serverMayLoseWrites, RetryInterval = TimeSpan.FromMilliseconds(1) };
        using IBlockGuest guest = NewGuest(device, await NbdDisk.ConnectAsync(_server.Address, options), blockSize: 512);
        int requests = _random.Next(1, MostRequests);
        Medium.CutAfter(requests);
        Operation? failed = Load.Run(guest, answeredIsDurable: false, mostOperations: requests + 100);
        Medium.Cuts.Should().Be(1);
        return (Check(guest), failed);
    }

    public void Dispose() => _server.Dispose();

    private static IBlockGuest NewGuest(Device device, Disk disk, int blockSize) =>
        device == Device.Nvme ? new NvmeGuest(disk, blockSize) : new VirtioGuest(disk, blockSize);

    private async Task<Disk> OpenAsync(Backend backend, MountedFile? file) => file is null
        ? await NbdDisk.ConnectAsync(_server.Address, GivesUp)
        : FileDisk.Open(file.FilePath, new FileDiskOptions { Cache = Enum.Parse<FileCacheMode>(backend.ToString()) });

    // by the same way as the guest that boots after the cut
    private async Task<List<string>> CheckAsync(Device device, Backend backend)
    {
        using MountedFile? file = backend == Backend.Nbd ? null : new MountedFile(_server);
        using IBlockGuest guest = NewGuest(device, await OpenAsync(backend, file), 4096);
        return Check(guest);
    }

    private List<string> Check(IBlockGuest guest)
    {
        List<string> wrong = [];
        for (int at = 0; at < Sectors; at += Workload.MostSectors)
        {
            Operation read = new(OperationKind.Read, at, Workload.MostSectors, 0);
            guest.Post(0, read);
            bool isDone = false;
            SpinWait.SpinUntil(() => guest.TryTake(out _, out isDone), TimeSpan.FromSeconds(60)).Should().BeTrue();
            isDone.Should().BeTrue();
            for (int i = 0; i < read.Count; i++)
            {
                int sector = at + i;
                ulong? found = Records.VersionOf(guest.DataOf(0, read).Slice(i * Operation.SectorSize, Operation.SectorSize), sector);
                if (!_ledger.Allows(sector, found))
                    wrong.Add($"sector {sector} has {found?.ToString() ?? "garbage"} and not one of {_ledger.Describe(sector)}");
                _ledger.Settle(sector, found ?? 0);
            }
        }
        return wrong;
    }
}
