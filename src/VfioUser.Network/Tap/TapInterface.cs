using System.Buffers;
using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace VfioUser.Network;

/// <summary>A TAP interface of the host: what is sent to it the host receives, and the other way round.</summary>
/// <remarks>
/// Any thread; <see cref="Plug"/> and <see cref="Dispose"/> on one. Frames of guests come to the host as they send them: the host is to
/// treat that interface like a cable to strangers. The kernel completes checksums and cuts segments where that is needed, and leaves
/// both to the guests in its own frames. Linux: <c>Documentation/networking/tuntap.rst</c>.
/// </remarks>
public sealed class TapInterface : INetworkPort, IDisposable
{
    private readonly SafeFileHandle _device;
    private readonly EventFd _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? _reading;
    private INetworkPort? _cable;
    private long _dropped;

    /// <summary>An interface that is attached.</summary>
    /// <param name="device">Gives and takes a frame with its offload header with each call, and does not block. Becomes this object's.</param>
    /// <param name="name">Of the interface.</param>
    internal TapInterface(SafeFileHandle device, string name)
    {
        _device = device;
        Name = name;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <inheritdoc/>
    public PortOffloads Offloads => PortOffloads.All;

    /// <summary>How many frames the host did not take: the interface was down, or had no room.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Completes when it is disposed; faulted with an <see cref="IOException"/> if the interface is gone.</summary>
    public Task Completion => _ended.Task;

    /// <summary>Attaches to an interface, which is made unless it exists, and vanishes with this object unless it is persistent.</summary>
    /// <param name="name">Of at most 15 bytes. With <c>%d</c> in it, the kernel chooses a number.</param>
    /// <exception cref="ArgumentException">The name is empty or too long.</exception>
    /// <exception cref="IOException">The kernel refuses it: for a new one it wants CAP_NET_ADMIN.</exception>
    public static TapInterface Open(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (Encoding.UTF8.GetByteCount(name) > TapCalls.MaxNameLength)
            throw new ArgumentException($"'{name}' is too long for the name of an interface.", nameof(name));
        SafeFileHandle device = TapCalls.Attach(name, out string actual);
        return new TapInterface(device, actual);
    }

    /// <summary>Begins to send what the host sends. Once.</summary>
    /// <param name="cable">Where it sends to, on a thread of this object.</param>
    public void Plug(INetworkPort cable)
    {
        ArgumentNullException.ThrowIfNull(cable);
        if (_reading is not null)
            throw new InvalidOperationException("It is plugged in.");
        _cable = cable;
        _reading = new Thread(Forward) { Name = $"tap {Name}", IsBackground = true };
        _reading.Start();
    }

    /// <inheritdoc/>
    public void Send(in NetworkFrame frame)
    {
        int length = OffloadHeader.Length + frame.Length;
        byte[] rented = ArrayPool<byte>.Shared.Rent(length);
        Span<byte> bytes = rented.AsSpan(0, length);
        OffloadHeader.Write(bytes, frame.Offload);
        if (!frame.TryCopyTo(0, bytes[OffloadHeader.Length..]) || !TapCalls.Write(_device, bytes))
            Interlocked.Increment(ref _dropped);
        ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>Ends the thread, and detaches from the interface. Nobody may send any more.</summary>
    public void Dispose()
    {
        _stop.Signal();
        _reading?.Join();
        _ended.TrySetResult();
        _device.Dispose();
        _stop.Dispose();
    }

    private void Forward()
    {
        byte[] buffer = new byte[OffloadHeader.Length + NetworkFrame.MaxLength];
        try
        {
            while (TapCalls.WaitForFirst(_device, _stop.Handle))
            {
                if (TapCalls.Read(_device, buffer) is { } length)
                    Forward(buffer.AsSpan(0, length));
            }
        }
        catch (IOException e)
        {
            _ended.TrySetException(e);
        }
    }

    private void Forward(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < OffloadHeader.Length + NetworkFrame.MinLength)
            return;
        ReadOnlySpan<byte> frame = bytes[OffloadHeader.Length..];
        if (!OffloadHeader.TryRead(bytes, out FrameOffload offload) || !offload.IsValidFor(frame.Length))
            return;
        new NetworkFrame(frame, offload).SendTo(_cable!);
    }
}
