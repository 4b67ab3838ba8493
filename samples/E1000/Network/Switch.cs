using System.Collections.Immutable;
using System.Net.NetworkInformation;

namespace E1000.Network;

/// <summary>Joins cards in this process: learns behind which port an address is, and sends everywhere what is for nobody that it knows.</summary>
/// <remarks>Any thread.</remarks>
public sealed class Switch
{
    // a guest can send from as many addresses as it likes
    private const int MaxAddresses = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Port> _learned = [];
    private ImmutableArray<Port> _ports = [];

    /// <summary>Joins a card, or something else that takes frames.</summary>
    /// <param name="station">Gets what is for it, for all, and for unknown addresses.</param>
    /// <returns>Where the station sends to. Disposed, it is unplugged.</returns>
    public SwitchPort Connect(INetworkPort station)
    {
        ArgumentNullException.ThrowIfNull(station);
        Port port = new(this, station);
        lock (_lock)
            _ports = _ports.Add(port);
        return port;
    }

    /// <summary>Where the switch would send what is for an address: the port of that station, or null for everywhere.</summary>
    public SwitchPort? Find(PhysicalAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        lock (_lock)
            return _learned.GetValueOrDefault(KeyOf(address.GetAddressBytes()));
    }

    private static ulong KeyOf(ReadOnlySpan<byte> address)
    {
        ulong key = 0;
        foreach (byte part in address[..6])
            key = (key << 8) | part;
        return key;
    }

    private void Forward(Port from, ReadOnlySpan<byte> frame)
    {
        if (frame.Length < Ethernet.HeaderLength)
            return;
        ImmutableArray<Port> ports;
        Port? only = null;
        lock (_lock)
        {
            ReadOnlySpan<byte> source = frame[6..12];
            if (!Ethernet.IsGroup(source) && (_learned.Count < MaxAddresses || _learned.ContainsKey(KeyOf(source))))
                _learned[KeyOf(source)] = from;
            if (!Ethernet.IsGroup(frame))
                only = _learned.GetValueOrDefault(KeyOf(frame));
            ports = _ports;
        }
        foreach (Port port in ports)
        {
            if (port != from && (only is null || port == only))
                port.Station.Send(frame);
        }
    }

    private void Remove(Port port)
    {
        lock (_lock)
        {
            _ports = _ports.Remove(port);
            foreach (ulong address in _learned.Where(entry => entry.Value == port).Select(entry => entry.Key).ToArray())
                _learned.Remove(address);
        }
    }

    private sealed class Port(Switch owner, INetworkPort station) : SwitchPort
    {
        public INetworkPort Station { get; } = station;

        public override void Send(ReadOnlySpan<byte> frame) => owner.Forward(this, frame);

        public override void Dispose() => owner.Remove(this);
    }
}
