using Nvme.Driver;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Support;

/// <summary>A subsystem with some controllers, each with a guest of its own whose driver has enabled it.</summary>
internal sealed class SharedDisks : IDisposable
{
    private readonly IReadOnlyList<NvmeNamespace> _namespaces;
    private readonly List<Path> _paths = [];

    public SharedDisks(IReadOnlyList<NvmeNamespace>? namespaces = null, int controllers = 2)
    {
        _namespaces = namespaces ?? [new NvmeNamespace(new MemoryDisk(8 << 20))];
        Subsystem = new NvmeSubsystem(_namespaces);
        for (int i = 0; i < controllers; i++)
            Join();
    }

    public NvmeSubsystem Subsystem { get; }

    public Path this[int index] => _paths[index];

    /// <summary>Another controller.</summary>
    public Path Join(NvmeControllerOptions? options = null)
    {
        _paths.Add(new Path(new NvmeController(Subsystem, options)));
        return _paths[^1];
    }

    public void Dispose()
    {
        foreach (Path path in _paths)
            path.Dispose();
        Subsystem.Dispose();
        foreach (NvmeNamespace space in _namespaces)
            space.Disk.Dispose();
    }

    /// <summary>A controller and its guest.</summary>
    internal sealed class Path : IDisposable
    {
        public Path(NvmeController controller)
        {
            Controller = controller;
            Guest = TestGuest.Attach(controller, new TestGuestOptions { Timeout = TimeSpan.FromSeconds(60) });
            Driver = new NvmeDriver(Guest);
            Driver.Enable();
        }

        public NvmeController Controller { get; }

        public TestGuest Guest { get; }

        public NvmeDriver Driver { get; }

        public DriverQueue Admin => Driver.Admin;

        public Iova NewPage() => Guest.Memory.Allocate(4096);

        public Iova Place(ReadOnlySpan<byte> bytes) => Guest.Place(bytes);

        public byte[] Read(Iova address, int length) => Guest.Memory.ReadBytes(address, length);

        /// <summary>An admin command that gives a page.</summary>
        public byte[] Page(Command command)
        {
            Iova page = NewPage();
            NvmeDriver.Expect(Admin.Execute(command with { Prp1 = page.Value }));
            return Read(page, 4096);
        }

        /// <summary>Enables events, and waits for one.</summary>
        public void Watch(uint events)
        {
            NvmeDriver.Expect(Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: 0x0B, dword11: events)));
            Admin.Submit(NewCommand.Admin(AdminOpcode.AsyncEventRequest));
        }

        /// <summary>A list of controllers. Identify, CNS 12h and 13h.</summary>
        public ushort[] Controllers(uint cns, uint nsid = 0, uint from = 0)
        {
            byte[] page = Page(NewCommand.Identify(cns | from << 16, default, nsid));
            return [.. Enumerable.Range(1, BitConverter.ToUInt16(page)).Select(i => BitConverter.ToUInt16(page, i * 2))];
        }

        public void Dispose()
        {
            Driver.Dispose();
            Guest.Dispose();
            Controller.Dispose();
        }
    }
}
