using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Doorbells in memory that the client maps: 32-bit values whose change is noticed by looking.</summary>
/// <remarks>
/// <para>
/// Nothing tells when a guest writes to memory. So somebody looks: with <see cref="NotificationMode.Threaded"/> a thread
/// that begins when a client attaches and ends when it leaves. It looks without a pause for <see cref="DoorbellPageOptions.Spin"/>
/// after a ring, then more and more rarely, down to every <see cref="DoorbellPageOptions.LongestWait"/>. With
/// <see cref="NotificationMode.Polling"/> the author calls <see cref="Poll"/>. A client that does not map the memory sends
/// messages; these wake the thread at once.
/// </para>
/// <para>
/// What is noticed is that a value differs from the one seen last: writing the same value again rings nothing, and of several
/// writes the last one is seen. Values are the guest's and may be anything. The handler never runs twice at one time; other
/// code of the device may run meanwhile on the Command thread, except for resets. What stands in memory when a reset or a
/// restore is done counts as seen. While migration has stopped the device nothing is noticed; what was rung before that is. An exception is logged and offered to <see cref="VfioUserServerOptions.DeviceException"/>.
/// </para>
/// </remarks>
public sealed class DoorbellPage : INotifier
{
    private readonly Lock _gate = new();
    private readonly PciDevice _device;
    private readonly PciRegion _region;
    private readonly RegionMemory _memory;
    private readonly ulong _offset;
    private readonly int _length;
    private readonly Action<int, uint> _handler;
    private readonly DoorbellPageOptions _options;
    private readonly uint[] _seen;
    private DoorbellPoller? _poller;

    internal DoorbellPage(Region region, RegionMemory memory, ulong offset, int count, Action<int, uint> handler, DoorbellPageOptions options)
    {
        _device = region.Device;
        _region = region.Index;
        _memory = memory;
        _offset = offset;
        _length = (count - 1) * options.Stride + sizeof(uint);
        _handler = handler;
        _options = options;
        _seen = new uint[count];
    }

    /// <summary>How many doorbells there are.</summary>
    public int Count => _seen.Length;

    /// <summary>Looks once, and calls the handler for each value that has changed since the last look.</summary>
    /// <returns>For how many it was called.</returns>
    /// <remarks>Any thread. Makes no system call. Do not call it with a lock that the handler takes.</remarks>
    public int Poll()
    {
        lock (_gate)
            return _device.Activity.AllowsNotifications(polled: _options.Mode == NotificationMode.Polling) ? PollNow() : 0;
    }

    /// <summary>Has the thread look now, and for a while without a pause: something is about to happen.</summary>
    /// <remarks>Any thread. Without effect when there is no thread.</remarks>
    public void Wake() => Volatile.Read(ref _poller)?.Wake();

    void INotifier.Enter() => _gate.Enter();

    void INotifier.Exit() => _gate.Exit();

    void INotifier.Discard()
    {
        ReadOnlySpan<byte> page = _memory.Span(_offset, _length);
        for (int i = 0; i < _seen.Length; i++)
            _seen[i] = Load(page, i);
    }

    void INotifier.Drain()
    {
        if (_options.Mode == NotificationMode.Polling)
            return;
        lock (_gate)
            PollNow();
    }

    void INotifier.Continue() => Wake();

    void INotifier.Attached()
    {
        if (_options.Mode == NotificationMode.Threaded)
            Volatile.Write(ref _poller, new DoorbellPoller(this, _options));
    }

    void INotifier.Detached() => Interlocked.Exchange(ref _poller, null)?.Dispose();

    // Under the gate.
    private int PollNow()
    {
        int rung = 0;
        ReadOnlySpan<byte> page = _memory.Span(_offset, _length);
        for (int i = 0; i < _seen.Length; i++)
        {
            uint value = Load(page, i);
            if (value == _seen[i])
                continue;
            _seen[i] = value;
            rung++;
            _device.Notifiers.Guard(new DeviceCode(DeviceCallback.DoorbellPage, _region, _offset + (ulong)(i * _options.Stride)),
                static call => call.Handler(call.Index, call.Value), (Handler: _handler, Index: i, Value: value));
        }
        return rung;
    }

    private uint Load(ReadOnlySpan<byte> page, int index) =>
        Volatile.Read(in MemoryMarshal.AsRef<uint>(page[(index * _options.Stride)..]));
}
