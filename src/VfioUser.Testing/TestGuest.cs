using System.Net.Sockets;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Testing;

/// <summary>
/// A guest without a machine: attached to a device over real sockets, with memory, interrupts and the accesses that a
/// driver makes.
/// </summary>
/// <remarks>
/// One thread, that of the test. Writes wait until the device has handled them, so that what they cause can be asserted
/// in the next line. Dispose detaches the guest and stops the server; the device keeps its state and may be attached again.
/// </remarks>
public sealed class TestGuest : IDisposable
{
    private readonly VfioUserServer _server;
    private readonly Task _serving;
    private readonly GuestInterrupts[] _interrupts;
    private readonly GuestRegion[] _bars;
    private readonly List<GuestRegion> _others = [];

    private TestGuest(PciDevice device, TestGuestOptions options)
    {
        Device = device;
        Options = options;
        (SafeSocketHandle serverEnd, SafeSocketHandle clientEnd) = SocketCalls.CreatePair();
        _server = VfioUserServer.FromConnected(serverEnd, options.Server with { TwinSocket = TwinSocketPolicy.Prefer });
        Memory = new GuestRam(options);
        _serving = Task.CompletedTask;
        _interrupts = [];
        _bars = [];
        try
        {
            _serving = _server.RunAsync(device);
            Client = VfioUserClient.FromConnected(clientEnd, new VfioUserClientOptions
            {
                TwinSocket = options.Memory == GuestMemory.TwinSocket ? TwinSocketPolicy.Require : TwinSocketPolicy.Never,
                DmaHandler = options.Memory is GuestMemory.TwinSocket or GuestMemory.SingleSocket ? Memory : null,
                Timeout = options.Timeout,
            });
            Memory.MapInto(Client);
            _interrupts = [.. Enum.GetValues<PciIrq>().Select(type => new GuestInterrupts(Client, type, options.Timeout))];
        }
        catch
        {
            // the device must be free for another guest; the first failure is the one to tell of
            Client?.Dispose();
            clientEnd.Dispose();
            Leave();
            throw;
        }
        _bars = [.. Enumerable.Range(0, 6).Select(bar => new GuestRegion(Client, (PciRegion)bar))];
        Config = AddRegion(PciRegion.Config);
        Rom = AddRegion(PciRegion.Rom);
        Vga = AddRegion(PciRegion.Vga);
    }

    /// <summary>The device under test.</summary>
    public PciDevice Device { get; }

    /// <summary>What kind of guest it is.</summary>
    public TestGuestOptions Options { get; }

    /// <summary>The client beneath, for what a driver does not do.</summary>
    public VfioUserClient Client { get; }

    /// <summary>The guest's memory.</summary>
    public GuestRam Memory { get; }

    /// <summary>The configuration space.</summary>
    public GuestRegion Config { get; }

    /// <summary>The expansion ROM.</summary>
    public GuestRegion Rom { get; }

    /// <summary>The legacy VGA region.</summary>
    public GuestRegion Vga { get; }

    /// <summary>Base address register 0.</summary>
    public GuestRegion Bar0 => _bars[0];

    /// <summary>Base address register 1.</summary>
    public GuestRegion Bar1 => _bars[1];

    /// <summary>Base address register 2.</summary>
    public GuestRegion Bar2 => _bars[2];

    /// <summary>Base address register 3.</summary>
    public GuestRegion Bar3 => _bars[3];

    /// <summary>Base address register 4.</summary>
    public GuestRegion Bar4 => _bars[4];

    /// <summary>Base address register 5.</summary>
    public GuestRegion Bar5 => _bars[5];

    /// <summary>The interrupt pin.</summary>
    public GuestIrq Intx => Interrupts(PciIrq.Intx)[0];

    /// <summary>The MSI vectors.</summary>
    public GuestInterrupts Msi => Interrupts(PciIrq.Msi);

    /// <summary>The MSI-X vectors.</summary>
    public GuestInterrupts MsiX => Interrupts(PciIrq.MsiX);

    /// <summary>Attaches a guest to a device.</summary>
    public static TestGuest Attach(PciDevice device, GuestMemory memory = GuestMemory.Mapped) =>
        Attach(device, new TestGuestOptions { Memory = memory });

    /// <summary>Attaches a guest to a device, with more to say about it.</summary>
    public static TestGuest Attach(PciDevice device, TestGuestOptions options)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(options);
        return new TestGuest(device, options);
    }

    /// <summary>The vectors of any type.</summary>
    public GuestInterrupts Interrupts(PciIrq type) => _interrupts[(int)type];

    /// <summary>Any region by its index, such as one that the device has beyond those of PCI.</summary>
    public GuestRegion Region(PciRegion index) => (int)index < _bars.Length
        ? _bars[(int)index]
        : _others.FirstOrDefault(region => region.Index == index) ?? AddRegion(index);

    /// <summary>Puts bytes into guest memory, on a page of their own.</summary>
    /// <returns>Where the device finds them.</returns>
    public Iova Place(ReadOnlySpan<byte> bytes)
    {
        Iova address = Memory.Allocate((ulong)bytes.Length);
        Memory.Write(address, bytes);
        return address;
    }

    /// <summary>Resets the device, as a machine does when it starts.</summary>
    public void Reset() => Client.ResetDevice();

    /// <summary>Detaches and stops the server.</summary>
    /// <exception cref="TimeoutException">A callback of the device does not come back.</exception>
    public void Dispose()
    {
        Client.Dispose();
        if (!Leave())
            throw new TimeoutException($"The guest has left, but {Device.GetType().Name} still handles something after {Options.Timeout}.");
    }

    private GuestRegion AddRegion(PciRegion index)
    {
        GuestRegion region = new(Client, index);
        _others.Add(region);
        return region;
    }

    private bool Leave()
    {
        _server.Dispose();
        try
        {
            return _serving.Wait(Options.Timeout);
        }
        finally
        {
            foreach (GuestInterrupts interrupts in _interrupts)
                interrupts.Dispose();
            foreach (GuestRegion region in _bars.Concat(_others))
                region.Close();
            Memory.Dispose();
        }
    }
}
