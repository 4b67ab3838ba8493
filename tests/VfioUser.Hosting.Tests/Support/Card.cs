using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using VfioUser.Client;

namespace VfioUser.Hosting.Tests;

/// <summary>What a card is made with.</summary>
public sealed class Wiring
{
    private readonly ConcurrentQueue<string> _events = [];

    /// <summary>What register 0 of every card says.</summary>
    public uint Level { get; init; } = 0x1234;

    /// <summary>Called by a card that is written to.</summary>
    public Action Ring { get; init; } = () => { };

    public IReadOnlyCollection<string> Events => _events;

    public void Note(string what)
    {
        _events.Enqueue(what);
    }
}

/// <summary>A register that says what the wiring says, and a doorbell.</summary>
public sealed class Card : PciDevice
{
    public const long Level = 0x0;
    public const long Doorbell = 0x8;

    private readonly Wiring _wiring;

    public Card([ServiceKey] string name, Wiring wiring)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F2), PciClass.Unclassified)
    {
        Name = name;
        _wiring = wiring;
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        bar0.AddRegister<uint>(Level, RegisterAccess.ReadOnly).Value = wiring.Level;
        bar0.AddDoorbell(Doorbell, ring: () => wiring.Ring());
    }

    public string Name { get; }

    public static uint ReadLevel(VfioUserClient client)
    {
        Span<byte> value = stackalloc byte[sizeof(uint)];
        client.ReadRegion((uint)RegionIndex.Bar0, Level, value);
        return BitConverter.ToUInt32(value);
    }

    protected override void Dispose(bool disposing)
    {
        _wiring.Note("disposed");
        base.Dispose(disposing);
    }

    protected override ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        _wiring.Note($"quiesced for {reason}");
        return new ValueTask<bool>(true);
    }

    protected override void OnDetached() => _wiring.Note("detached");
}
