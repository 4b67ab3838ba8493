using System.Text;
using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;

namespace E1000.Network;

/// <summary>A TAP interface of the host: what is sent to it the host receives, and the other way round.</summary>
/// <remarks>
/// Any thread; <see cref="Plug"/> and <see cref="Dispose"/> on one. Frames of guests come to the host as the card sends them: the host
/// is to treat that interface like a cable to strangers.
/// </remarks>
public sealed class TapInterface : INetworkPort, IDisposable
{
    // longer than the kernel's largest frame without offloads: an MTU of 65,535 at most, with header and tag
    private const int MaxFrame = 65_535 + Ethernet.HeaderLength + Ethernet.TagLength;

    private readonly SafeFileHandle _device;
    private readonly EventFd _stop = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Thread? _reading;
    private INetworkPort? _cable;

    /// <param name="device">Gives and takes a frame with each call, and does not block. Becomes this object's.</param>
    /// <param name="name">Of the interface.</param>
    internal TapInterface(SafeFileHandle device, string name)
    {
        _device = device;
        Name = name;
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

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
    public void Send(ReadOnlySpan<byte> frame) => TapCalls.Write(_device, frame);

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
        byte[] frame = new byte[MaxFrame];
        try
        {
            while (TapCalls.WaitForFirst(_device, _stop.Handle))
            {
                if (TapCalls.Read(_device, frame) is { } length)
                    _cable!.Send(frame.AsSpan(0, length));
            }
        }
        catch (IOException e)
        {
            _ended.TrySetException(e);
        }
    }
}
