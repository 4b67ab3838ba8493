using System.Collections.Immutable;
using System.Net.NetworkInformation;

namespace VfioUser.Network;

/// <summary>Joins devices in this process: learns behind which port an address is, and sends everywhere what is for nobody that it knows.</summary>
/// <remarks>Any thread. Frames pass with what they leave to do; a station that cannot do it gets them when it is done. Learns 1,024
/// addresses: a guest can send from as many as it likes.</remarks>
public sealed class NetworkSwitch
{
    private const int MaxAddresses = 1024;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Port> _learned = [];
    private ImmutableArray<Port> _ports = [];

    /// <summary>Joins a station: a network device, or something else that takes frames.</summary>
    /// <param name="station">Gets what is for it, for all, and for unknown addresses.</param>
    /// <returns>Where the station sends to. Disposed, it is unplugged.</returns>
    public NetworkSwitchPort Connect(INetworkPort station)
    {
        ArgumentNullException.ThrowIfNull(station);
        Port port = new(this, station);
        lock (_lock)
            _ports = _ports.Add(port);
        return port;
    }

    /// <summary>Where the switch would send what is for an address: the port of that station, or null for everywhere.</summary>
    public NetworkSwitchPort? Find(PhysicalAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        byte[] bytes = address.GetAddressBytes();
        if (bytes.Length != Ethernet.AddressLength)
            return null;
        lock (_lock)
            return _learned.GetValueOrDefault(Ethernet.KeyOf(bytes));
    }

    private void Forward(Port from, in NetworkFrame frame)
    {
        ImmutableArray<Port> ports;
        Port? only;
        lock (_lock)
        {
            Learn(from, frame.Head[Ethernet.AddressLength..]);
            only = Ethernet.IsGroup(frame.Head) ? null : _learned.GetValueOrDefault(Ethernet.KeyOf(frame.Head));
            ports = _ports;
        }
        if (only is not null)
        {
            if (only != from)
                frame.SendTo(only.Station);
            return;
        }
        foreach (Port port in ports)
        {
            if (port != from)
                frame.SendTo(port.Station);
        }
    }

    private void Learn(Port from, ReadOnlySpan<byte> source)
    {
        if (Ethernet.IsGroup(source) || !from.IsPlugged)
            return;
        ulong key = Ethernet.KeyOf(source);
        if (_learned.Count < MaxAddresses || _learned.ContainsKey(key))
            _learned[key] = from;
    }

    private void Remove(Port port)
    {
        lock (_lock)
        {
            port.IsPlugged = false;
            _ports = _ports.Remove(port);
            foreach (ulong address in _learned.Where(entry => entry.Value == port).Select(entry => entry.Key).ToArray())
                _learned.Remove(address);
        }
    }

    private sealed class Port(NetworkSwitch owner, INetworkPort station) : NetworkSwitchPort
    {
        public INetworkPort Station { get; } = station;

        /// <summary>Under the switch's lock.</summary>
        public bool IsPlugged { get; set; } = true;

        public override void Send(in NetworkFrame frame) => owner.Forward(this, frame);

        public override void Dispose() => owner.Remove(this);
    }
}
