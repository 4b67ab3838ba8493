using VfioUser.Disks;
using VfioUser.Nvme;
using VfioUser.Vm.Tests.Harness;

namespace VfioUser.Vm.Tests.Nvme;

/// <summary>One guest for the tests of a class, with a disk in memory. Boots with the first that asks; tests leave it usable.</summary>
public sealed class NvmeMachine : IAsyncLifetime
{
    public const int DiskSize = 64 << 20;

    private ServedDisk? _served;
    private VirtualMachine? _machine;

    internal ServedDisk Served => _served ?? throw new InvalidOperationException("The machine was not started");

    internal async Task<VirtualMachine> Start()
    {
        _served ??= new ServedDisk(new MemoryDisk(DiskSize));
        return _machine ??= await NvmeGuest.Start(_served.SocketPath);
    }

    // Boots nothing: where there is no VM, all tests are skipped.
    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (_machine is not null)
        {
            await _machine.DisposeAsync();
        }

        if (_served is not null)
        {
            await _served.DisposeAsync();
        }
    }
}
