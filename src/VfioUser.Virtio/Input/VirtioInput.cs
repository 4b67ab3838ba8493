using System.Runtime.InteropServices;

namespace VfioUser.Virtio;

/// <summary>An input device of any kind: what it reports is in /dev/input/event* of a Linux guest. <see cref="VirtioKeyboard"/>,
/// <see cref="VirtioMouse"/> and <see cref="VirtioTablet"/> are the usual ones.</summary>
/// <remarks>
/// <para>A migration carries what the driver has been told. Reports that wait, and keys that are pressed, stay where they are: release
/// them before.</para>
/// <para>VIRTIO 1.3 5.8 "Input Device".</para>
/// </remarks>
public class VirtioInput : VirtioDevice
{
    private const int QueueSize = 64;

    private readonly InputDescription _description;
    private readonly InputReports _reports;
    private readonly VirtioQueue _events;
    private InputSelector _selector;
    private byte _of;

    /// <summary>Creates the device.</summary>
    /// <exception cref="ArgumentException">The options are not valid.</exception>
    public VirtioInput(VirtioInputOptions options)
        : base(VirtioDeviceType.Input, queues: 2, (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder))
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        _description = new InputDescription(options);
        _reports = new InputReports(options.Capacity);
        _events = AddQueue("events", QueueSize, Transmit);
        AddQueue("status", QueueSize, Receive);
        Select(InputSelector.None, 0);
        AddState("virtio.input", () => (ushort)((byte)_selector | _of << 8), state => Select((InputSelector)(byte)state, (byte)(state >> 8)));
        EnableMigration();
    }

    /// <summary>Called with what the guest sets: a light, a sound.</summary>
    /// <remarks>On a worker of the device: return soon, and wait for nothing of the device.</remarks>
    public event EventHandler<InputStatusEventArgs>? StatusReceived;

    /// <summary>Reports that were dropped, since no driver has taken the device or it did not take the reports before.</summary>
    public long DroppedReports => _reports.Dropped;

    /// <summary>Reports what has changed at one moment.</summary>
    /// <param name="events">Without the end of the report, which is added.</param>
    /// <returns>False if it was dropped as a whole. The guest is told of keys that it would miss, when there is room again.</returns>
    /// <remarks>Any thread; does not block.</remarks>
    public bool Report(params ReadOnlySpan<InputEvent> events)
    {
        if (!_reports.Add(events, _events.IsRunning))
            return false;
        _events.Wake();
        return true;
    }

    /// <inheritdoc/>
    protected override void OnDriverGone()
    {
        _reports.Clear();
        Select(InputSelector.None, 0);
    }

    /// <inheritdoc/>
    protected override void OnConfigWritten(int offset, ReadOnlySpan<byte> source)
    {
        // the first two bytes, together or one after the other
        for (int i = 0; i < source.Length && offset + i < 2; i++)
        {
            if (offset + i == 0)
                _selector = (InputSelector)source[i];
            else
                _of = source[i];
        }
        Select(_selector, _of);
    }

    /// <summary>Worker: the guest has set something.</summary>
    private protected virtual void OnStatus(InputEvent status) => StatusReceived?.Invoke(this, new InputStatusEventArgs(status));

    private void Select(InputSelector selector, byte of)
    {
        (_selector, _of) = (selector, of);
        Span<byte> config = stackalloc byte[InputDescription.ConfigLength];
        _description.Write(selector, of, config);
        SetConfig(config);
    }

    private bool Transmit(VirtioQueue queue)
    {
        bool worked = false;
        while (_reports.TryPeek(out InputEvent next) && queue.TryTake(out VirtioChain? chain))
        {
            worked = true;
            _reports.Remove();
            bool isWritten = chain.Writable.TryWrite(0, MemoryMarshal.AsBytes(new ReadOnlySpan<InputEvent>(in next)));
            chain.Complete(isWritten ? InputEvent.Length : 0);
            if (!isWritten)
                DriverFailed("a buffer for events cannot be written, or has less than 8 bytes");
        }
        return worked;
    }

    private void Receive(VirtioChain chain)
    {
        InputEvent status = default;
        bool isRead = chain.Readable.TryRead(0, MemoryMarshal.AsBytes(new Span<InputEvent>(ref status)));
        chain.Complete();
        if (isRead)
            OnStatus(status);
        else
            DriverFailed("a status has less than 8 bytes, or cannot be read");
    }
}
