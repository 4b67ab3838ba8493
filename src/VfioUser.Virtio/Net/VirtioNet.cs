using System.Net.NetworkInformation;
using System.Security.Cryptography;
using VfioUser.Network;

namespace VfioUser.Virtio;

/// <summary>A network device: a guest drives it with virtio-net. It is an <see cref="INetworkPort"/>, and sends to another one.</summary>
/// <remarks>
/// <para>A frame between two guests is copied once, from one's memory to the other's, on the thread of the sender's queue. Checksums are
/// not computed on the way and TCP segments of 64 KiB pass whole, if both drivers can. What the receiver cannot is done before:
/// <see cref="NetworkFrame.SendTo"/>.</para>
/// <para>Frames wait in a bounded queue while the guest has no buffers, and are lost and counted when it is full.</para>
/// <para>VIRTIO 1.3 5.1 "Network Device".</para>
/// </remarks>
public sealed class VirtioNet : VirtioDevice, INetworkPort
{
    private const int MaxPairs = 64;
    private const int MinQueueSize = 64;
    private const int HeaderLengthWithoutHash = 12;

    /// <summary>Of the longest header before a frame.</summary>
    internal const int MaxHeaderLength = 20;

    // of a device whose driver does not use several pairs
    private const int ControlOfOnePair = 2;

    private const NetFeatures Always = NetFeatures.Mac | NetFeatures.MergeableBuffers | NetFeatures.Status | NetFeatures.ControlQueue
        | NetFeatures.ControlReceive | NetFeatures.ControlReceiveExtra | NetFeatures.ControlVlan | NetFeatures.ControlMac
        | NetFeatures.GuestAnnounce | NetFeatures.SpeedDuplex;

    private const NetFeatures ReceiveBits = NetFeatures.GuestChecksum | NetFeatures.GuestTso4 | NetFeatures.GuestTso6 | NetFeatures.GuestEcn;

    private readonly ulong _address;
    private readonly int _pairCount;
    private readonly ReceiveQueue[] _receive;
    private readonly TransmitQueue[] _transmit;
    private readonly ControlQueue _control;
    private readonly FlowSteering _steering = new();
    private readonly VirtioConfig<NetConfig> _config;
    private readonly Lock _linkLock = new();
    private INetworkPort? _plugged;
    private bool _isLinkUp = true;
    private bool _announces;
    private ReceiveFilter _filter;
    private int _pairs = 1;
    private NetFeatures _features;
    private NetFeatures _received; // those of the bits for receiving that the driver wants now
    private RssSettings? _rss;
    private NetState? _restored;
    private RssState? _restoredRss;
    private bool _hasMoved;

    /// <summary>Creates a device without a cable.</summary>
    /// <param name="options">Null for the defaults.</param>
    /// <exception cref="ArgumentException">A value of the options is none that such a device can have.</exception>
    public VirtioNet(VirtioNetOptions? options = null)
        : base(
            VirtioDeviceType.Network,
            QueuesOf(options ??= new()),
            (ulong)FeaturesOf(options) | (ulong)VirtioFeatures.InOrder | (ulong)(options.OffersPackedQueues ? VirtioFeatures.RingPacked : 0))
    {
        _address = AddressOf(options);
        _filter = DefaultFilter();
        _pairCount = options.QueuePairs;
        _receive = [.. Enumerable.Range(0, _pairCount).Select(_ => new ReceiveQueue(this, options.ReceiveBufferSize))];
        _transmit = [.. Enumerable.Range(0, _pairCount).Select(pair => new TransmitQueue(this, pair))];
        _control = new ControlQueue(this);
        for (int pair = 0; pair < _pairCount; pair++)
        {
            _receive[pair].Queue = AddQueue(
                $"receive {pair}", options.QueueSize, Poll, ownThread: false, maxChainsPerPass: 2 * ReceiveQueue.MaxBuffers);
            AddQueue($"transmit {pair}", options.QueueSize, Poll, ownThread: _pairCount > 1);
        }
        AddQueue("control", MinQueueSize, Poll);
        bool hashes = options.OffersRss || options.OffersHashReports;
        _config = AddConfig(new NetConfig
        {
            Mac = _address,
            MaxPairs = (ushort)_pairCount,
            Mtu = (ushort)(options.Mtu ?? 0),
            Speed = (uint)options.Speed,
            Duplex = NetConfig.FullDuplex,
            RssMaxKeySize = hashes ? (byte)ToeplitzHash.MaxKeyLength : (byte)0,
            RssMaxIndirection = options.OffersRss ? (ushort)RssSettings.MaxTable : (ushort)0,
            HashTypes = hashes ? (uint)HashTypes.Supported : 0,
        });
        AddState("virtio.net", () => NetState.Of(Filter, _pairs, (ulong)_received), state => _restored = state);
        if (hashes)
            AddState("virtio.net.rss", () => RssState.Of(Rss), state => _restoredRss = state);
        EnableMigration();
    }

    /// <summary>Its address, before the guest has chosen another one.</summary>
    public PhysicalAddress Address => new([.. Enumerable.Range(0, 6).Select(i => (byte)(_address >> (8 * (5 - i))))]);

    /// <summary>Whether the guest shows a link, if the device is plugged in. Any thread; true at first.</summary>
    public bool IsLinkUp
    {
        get
        {
            lock (_linkLock)
                return _isLinkUp;
        }

        set
        {
            lock (_linkLock)
            {
                _isLinkUp = value;
                UpdateStatus();
            }
        }
    }

    /// <summary>What the driver takes as it is. Any thread.</summary>
    public PortOffloads Offloads => ReceivesFrames ? _received.Received() : PortOffloads.All;

    /// <summary>Counters. Any thread.</summary>
    public VirtioNetStatistics Statistics => new()
    {
        FramesSent = _transmit.Sum(static queue => queue.Frames),
        BytesSent = _transmit.Sum(static queue => queue.Bytes),
        SendErrors = _transmit.Sum(static queue => queue.Errors),
        FramesReceived = _receive.Sum(static queue => queue.Frames),
        BytesReceived = _receive.Sum(static queue => queue.Bytes),
        ReceiveDrops = _receive.Sum(static queue => queue.Dropped),
    };

    /// <summary>Plugs a cable in: the guest sees its link come up. Any thread.</summary>
    /// <param name="cable">Where the device sends to.</param>
    public void Plug(INetworkPort cable)
    {
        ArgumentNullException.ThrowIfNull(cable);
        lock (_linkLock)
        {
            _plugged = cable;
            UpdateStatus();
        }
    }

    /// <summary>Pulls the cable out. Any thread.</summary>
    public void Unplug()
    {
        lock (_linkLock)
        {
            _plugged = null;
            UpdateStatus();
        }
    }

    /// <summary>Has the guest tell its neighbours where it is, if its driver can: the network has changed. Any thread.</summary>
    /// <remarks>Happens by itself after a migration. VIRTIO 1.3 5.1.6.5.4 "Gratuitous Packet Sending".</remarks>
    public void Announce()
    {
        lock (_linkLock)
        {
            _announces = Has(NetFeatures.GuestAnnounce);
            UpdateStatus();
        }
    }

    /// <summary>A frame comes from the cable.</summary>
    /// <inheritdoc/>
    public void Send(in NetworkFrame frame)
    {
        if (!ReceivesFrames || Cable is null || !Filter.Accepts(frame.Head))
            return;
        int pairs = Volatile.Read(ref _pairs);
        int pair = Rss is { HasTable: true } rss ? rss.PairFor(frame.Head) : pairs == 1 ? 0 : _steering.PairFor(frame.Head, pairs);
        _receive[pair].Receive(frame);
    }

    /// <summary>Where frames go; null without a link.</summary>
    internal INetworkPort? Cable { get; private set; }

    internal bool IsMergeable => Has(NetFeatures.MergeableBuffers);

    /// <summary>Of the header before each frame.</summary>
    internal int HeaderLength => Has(NetFeatures.HashReport) ? MaxHeaderLength : HeaderLengthWithoutHash;

    /// <summary>What received frames are hashed with; null if the driver has said nothing. Any thread.</summary>
    internal RssSettings? Rss
    {
        get => Volatile.Read(ref _rss);
        private set => Volatile.Write(ref _rss, value);
    }

    /// <summary>What the driver may leave to the device.</summary>
    internal PortOffloads SendOffloads => _features.Sent();

    internal ReceiveFilter Filter
    {
        get => Volatile.Read(ref _filter);
        set => Volatile.Write(ref _filter, value);
    }

    internal bool Has(NetFeatures feature) => _features.Has(feature);

    /// <summary>Worker: the guest sends in a flow.</summary>
    internal void Sent(ReadOnlySpan<byte> head, int pair)
    {
        if (_pairs > 1)
            _steering.Sent(head, pair);
    }

    internal bool AcknowledgeAnnounce()
    {
        lock (_linkLock)
        {
            _announces = false;
            UpdateStatus();
        }
        return true;
    }

    internal bool UsePairs(int pairs)
    {
        if (pairs < 1 || pairs > _pairCount)
            return false;
        Volatile.Write(ref _pairs, pairs);
        Rss = Rss?.WithoutTable();
        return true;
    }

    internal bool UseRss(ReadOnlySpan<byte> settings) => Use(RssSettings.WithTable(settings, _pairCount));

    internal bool UseHashes(ReadOnlySpan<byte> settings) => Use(RssSettings.Hashes(settings));

    internal bool UseOffloads(NetFeatures offloads)
    {
        if ((offloads & ~(_features & ReceiveBits)) != 0)
            return false;
        _received = offloads;
        return true;
    }

    internal void UseAddress(ulong address)
    {
        Filter = Filter with { Address = address };
        lock (_linkLock)
            _config.Value = _config.Value with { Mac = address };
    }

    /// <inheritdoc/>
    protected override bool AcceptFeatures(ulong features) => ((NetFeatures)features).AreComplete();

    /// <inheritdoc/>
    protected override void OnDriverReady()
    {
        UseFeatures();
        if (!Has(NetFeatures.ControlReceive))
            return;
        Filter = Filter.WithMode(ReceiveModes.FiltersVlans, Has(NetFeatures.ControlVlan));
    }

    /// <inheritdoc/>
    protected override void OnDriverGone()
    {
        (_features, _received, _pairs) = (NetFeatures.None, NetFeatures.None, 1);
        Rss = null;
        foreach (ReceiveQueue queue in _receive)
            queue.Clear();
        _steering.Clear();
        UseAddress(_address);
        Filter = DefaultFilter();
        AcknowledgeAnnounce();
    }

    /// <inheritdoc/>
    protected override void OnRestored()
    {
        UseFeatures();
        if (_restored is { } state)
        {
            ReceiveFilter filter = state.ToFilter();
            if (!UsePairs(state.Pairs) || (state.Pairs > 1 && !Has(NetFeatures.MultiQueue)) || !UseOffloads((NetFeatures)state.Offloads))
                throw new InvalidDataException("The driver's queues or offloads are not those that it can have.");
            UseAddress(filter.Address);
            Filter = filter;
        }
        if (_restoredRss?.ToSettings(_pairCount) is { } rss)
            Use(rss);
        (_restored, _restoredRss) = (null, null);
        _hasMoved = true;
        base.OnRestored();
    }

    /// <inheritdoc/>
    protected override void OnStarted()
    {
        base.OnStarted();
        if (_hasMoved)
            Announce();
        _hasMoved = false;
    }

    private bool Use(RssSettings? rss)
    {
        if (rss is null)
            return false;
        if (rss.HasTable)
            Volatile.Write(ref _pairs, rss.TransmitQueues);
        Rss = rss;
        return true;
    }

    private bool ReceivesFrames => (Status & VirtioStatus.DriverOk) != 0;

    private void UseFeatures()
    {
        _features = (NetFeatures)Features;
        _received = _features & ReceiveBits;
    }

    private bool Poll(VirtioQueue queue)
    {
        int index = queue.Index;
        if (index == (Has(NetFeatures.MultiQueue) ? 2 * _pairCount : ControlOfOnePair))
            return Has(NetFeatures.ControlQueue) && _control.Poll(queue);
        if (index == 2 * _pairCount)
            return false;
        return index % 2 == 0 ? _receive[index / 2].Poll(queue) : _transmit[index / 2].Poll(queue);
    }

    // under the lock of the link
    private void UpdateStatus()
    {
        bool isUp = _isLinkUp && _plugged is not null;
        Cable = isUp ? _plugged : null;
        ushort status = (ushort)((isUp ? NetConfig.LinkUp : 0) | (_announces ? NetConfig.Announce : 0));
        if (_config.Value.Status != status)
            _config.Value = _config.Value with { Status = status };
    }

    private ReceiveFilter DefaultFilter() => new() { Address = _address, Modes = ReceiveModes.Promiscuous };

    private static int QueuesOf(VirtioNetOptions options)
    {
        if (options.QueuePairs is < 1 or > MaxPairs)
            throw new ArgumentException($"{options.QueuePairs} pairs of queues: take 1 to {MaxPairs}.", nameof(options));
        if (options.QueueSize < MinQueueSize)
            throw new ArgumentException($"A queue of {options.QueueSize} entries: take {MinQueueSize} or more.", nameof(options));
        if (options.Mtu is < 68 or > ushort.MaxValue)
            throw new ArgumentException($"An MTU of {options.Mtu}: take 68 to {ushort.MaxValue}.", nameof(options));
        if (options.OffersRss && options.QueuePairs == 1)
            throw new ArgumentException($"{nameof(options.OffersRss)} with one pair of queues: take several {nameof(options.QueuePairs)}.", nameof(options));
        return 2 * options.QueuePairs + 1;
    }

    private static NetFeatures FeaturesOf(VirtioNetOptions options)
    {
        NetFeatures features = Always | (options.QueuePairs > 1 ? NetFeatures.MultiQueue : 0) | (options.Mtu is null ? 0 : NetFeatures.Mtu)
            | (options.OffersRss ? NetFeatures.Rss : 0) | (options.OffersHashReports ? NetFeatures.HashReport : 0);
        if ((options.Offloads & PortOffloads.Checksum) == 0)
            return features;
        features |= NetFeatures.Checksum | NetFeatures.GuestChecksum | NetFeatures.ControlGuestOffloads;
        if ((options.Offloads & PortOffloads.TcpOverIPv4) != 0)
            features |= NetFeatures.HostTso4 | NetFeatures.GuestTso4;
        if ((options.Offloads & PortOffloads.TcpOverIPv6) != 0)
            features |= NetFeatures.HostTso6 | NetFeatures.GuestTso6;
        if ((options.Offloads & PortOffloads.TcpEcn) != 0 && features.Has(NetFeatures.HostTso4 | NetFeatures.HostTso6))
            features |= NetFeatures.HostEcn | NetFeatures.GuestEcn;
        return features;
    }

    private static ulong AddressOf(VirtioNetOptions options)
    {
        Span<byte> bytes = stackalloc byte[6];
        if (options.Address is null)
        {
            RandomNumberGenerator.Fill(bytes);
            bytes[0] = (byte)((bytes[0] & ~1) | 2); // of one station, and nobody's
            return Ethernet.KeyOf(bytes);
        }
        byte[] address = options.Address.GetAddressBytes();
        if (address.Length != bytes.Length || Ethernet.IsGroup(address))
            throw new ArgumentException($"{options.Address} is not the address of a station.", nameof(options));
        return Ethernet.KeyOf(address);
    }
}
