using Microsoft.Extensions.Time.Testing;
using Nvme.Driver;
using VfioUser.Testing;
using VfioUser.Tests;

namespace VfioUser.Nvme.Tests.Support;

/// <summary>A controller with its disks, a guest that is attached to it, and a driver that has enabled it.</summary>
internal sealed class Machine : IDisposable
{
    private readonly IReadOnlyList<Disk> _disks;
    private readonly EventLog _log = new(null, first: 220, last: 229);

    public Machine(GuestMemoryKind memory = GuestMemoryKind.Mapped, NvmeControllerOptions? options = null, IReadOnlyList<Disk>? disks = null,
        bool enable = true, bool msiX = true)
        : this([.. (disks ?? [new MemoryDisk(8 << 20)]).Select(disk => new NvmeNamespace(disk))], memory, options, enable, msiX)
    {
    }

    public Machine(IReadOnlyList<NvmeNamespace> namespaces, GuestMemoryKind memory = GuestMemoryKind.Mapped, NvmeControllerOptions? options = null,
        bool enable = true, bool msiX = true, FakeTimeProvider? time = null)
    {
        _disks = [.. namespaces.Select(space => space.Disk)];
        Controller = new NvmeController(namespaces, options);
        Guest = TestGuest.Attach(Controller, new TestGuestOptions
        {
            Memory = memory,
            Timeout = TimeSpan.FromSeconds(60),
            TimeProvider = time,
            Server = new VfioUserServerOptions { Logger = _log },
        });
        Driver = new NvmeDriver(Guest, msiX);
        if (enable)
            Driver.Enable();
    }

    /// <summary>What the controller has logged.</summary>
    public IReadOnlyCollection<string> Log => _log.Lines;

    public NvmeController Controller { get; }

    public TestGuest Guest { get; }

    public NvmeDriver Driver { get; }

    public DriverQueue Admin => Driver.Admin;

    public Disk Disk => _disks[0];

    public Iova NewPage() => Guest.Memory.Allocate(4096);

    public byte[] Read(Iova address, int length) => Guest.Memory.ReadBytes(address, length);

    /// <summary>An admin command that gives a page.</summary>
    public byte[] Page(Command command)
    {
        Iova page = NewPage();
        NvmeDriver.Expect(Admin.Execute(command with { Prp1 = page.Value }));
        return Read(page, 4096);
    }

    /// <summary>Bytes that differ from block to block.</summary>
    public static byte[] Pattern(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public void Dispose()
    {
        Driver.Dispose();
        Guest.Dispose();
        Controller.Dispose();
        foreach (Disk disk in _disks)
            disk.Dispose();
    }
}
