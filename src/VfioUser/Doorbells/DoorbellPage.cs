using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>Doorbells in shared memory that the client maps: values of 32 or 64 bits, polled for changes.</summary>
/// <remarks>
/// <para>
/// A guest's write to mapped memory signals nothing, so the page must be polled. With <see cref="NotificationMode.Threaded"/> a
/// thread polls it while a client is attached: without a pause for <see cref="DoorbellPageOptions.Spin"/> after a doorbell was
/// written, then less and less often, down to every <see cref="DoorbellPageOptions.LongestWait"/>. With
/// <see cref="NotificationMode.Polling"/> the device calls <see cref="Poll"/>. A client that does not map the memory sends
/// REGION_WRITE, which wakes the thread at once.
/// </para>
/// <para>
/// A poll detects that a value differs from the one it last saw: writing the same value again is not detected, and of several
/// writes only the last is. Values come from the guest and may be anything. The handler never runs concurrently with itself;
/// other code of the device may run on the Command thread meanwhile, except resets. A reset and a restore mark the values in
/// memory as seen. While migration has stopped the device, polls detect nothing; writes before the stop are handled. An
/// exception is logged and passed to <see cref="VfioUserServerOptions.OnDeviceException"/>.
/// </para>
/// </remarks>
public sealed class DoorbellPage : INotifier
{
    private readonly Lock _gate = new();
    private readonly PciDevice _device;
    private readonly RegionIndex _region;
    private readonly RegionMemory _memory;
    private readonly long _offset;
    private readonly int _length;
    private readonly int _stride;
    private readonly int _width;
    private readonly Action<int, ulong> _handler;
    private readonly DoorbellPageOptions _options;
    private readonly ulong[] _seen;
    private DoorbellPoller? _poller;

    internal DoorbellPage(Region region, RegionMemory memory, long offset, int count, int width, Action<int, ulong> handler, DoorbellPageOptions options)
    {
        _device = region.Device;
        _region = region.Index;
        _memory = memory;
        _offset = offset;
        _width = width;
        _stride = options.StrideOf(width);
        _length = ((count - 1) * _stride) + width;
        _handler = handler;
        _options = options;
        _seen = new ulong[count];
    }

    /// <summary>Number of doorbells.</summary>
    public int Count => _seen.Length;

    /// <summary>Polls once: calls the handler for each value that has changed since the last poll.</summary>
    /// <returns>The number of calls.</returns>
    /// <remarks>Any thread. Makes no system call. Do not hold a lock that the handler takes.</remarks>
    public int Poll()
    {
        lock (_gate)
            return _device.Activity.AllowsNotifications(polled: _options.Mode == NotificationMode.Polling) ? PollNow() : 0;
    }

    /// <summary>Makes the thread poll now, and without a pause for <see cref="DoorbellPageOptions.Spin"/>.</summary>
    /// <remarks>Any thread. Without effect if there is no thread.</remarks>
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

    // Holding _gate.
    private int PollNow()
    {
        int written = 0;
        ReadOnlySpan<byte> page = _memory.Span(_offset, _length);
        for (int i = 0; i < _seen.Length; i++)
        {
            ulong value = Load(page, i);
            if (value == _seen[i])
                continue;
            _seen[i] = value;
            written++;
            _device.Notifiers.Guard(new DeviceCode(DeviceCallback.DoorbellPage, _region, _offset + (i * _stride)),
                static call => call.Handler(call.Index, call.Value), (Handler: _handler, Index: i, Value: value));
        }
        return written;
    }

    private ulong Load(ReadOnlySpan<byte> page, int index)
    {
        ReadOnlySpan<byte> doorbell = page[(index * _stride)..];
        return _width == sizeof(uint) ? Volatile.Read(in MemoryMarshal.AsRef<uint>(doorbell)) : Volatile.Read(in MemoryMarshal.AsRef<ulong>(doorbell));
    }
}
