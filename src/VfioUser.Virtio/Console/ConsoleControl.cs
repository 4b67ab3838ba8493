using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Virtio;

/// <summary>The control queues: what device and driver tell one another of the ports.</summary>
/// <remarks>What is due is a set for each port, not a list, so a driver that asks again and again makes it no longer.
/// VIRTIO 1.3 5.3.6.2 "Multiport Device Operation".</remarks>
internal sealed class ConsoleControl(VirtioConsole console, IReadOnlyList<VirtioConsolePort> ports)
{
    private const int MaxMessage = ConsoleMessage.Length + 128;

    private readonly int[] _due = new int[ports.Count];
    private readonly bool[] _ready = new bool[ports.Count]; // ports that the driver has taken; worker, or nobody else
    private readonly byte[] _message = new byte[MaxMessage];

    /// <summary>Where the device sends.</summary>
    public VirtioQueue? ToDriver { get; set; }

    public ConsoleState State
    {
        get
        {
            uint ready = 0, open = 0;
            foreach (VirtioConsolePort port in ports)
            {
                ready |= (_ready[port.Index] ? 1u : 0) << port.Index;
                open |= (port.IsGuestOpen ? 1u : 0) << port.Index;
            }
            return new ConsoleState(ready, open);
        }
    }

    /// <summary>Command thread, while no queue is in use. What this end says of a port may be other than the driver has heard.</summary>
    public void Restore(ConsoleState state)
    {
        foreach (VirtioConsolePort port in ports)
        {
            _ready[port.Index] = (state.Ready >> port.Index & 1) != 0;
            port.SetGuestOpen((state.Open >> port.Index & 1) != 0);
            Volatile.Write(ref _due[port.Index], (int)(_ready[port.Index] ? ConsoleDue.Open | ConsoleDue.Resize : ConsoleDue.None));
        }
    }

    /// <summary>Any thread: the driver is told, if it has taken the port.</summary>
    public void Send(VirtioConsolePort port, ConsoleDue due)
    {
        Interlocked.Or(ref _due[port.Index], (int)due);
        ToDriver?.Wake();
    }

    /// <summary>Worker: a message of the driver.</summary>
    public void Receive(VirtioChain chain)
    {
        Span<byte> bytes = stackalloc byte[ConsoleMessage.Length];
        if (chain.Readable.TryRead(0, bytes))
            Handle(MemoryMarshal.Read<ConsoleMessage>(bytes));
        else
            console.DriverFailed($"a control message has {chain.Readable.Length} bytes");
        chain.Complete();
    }

    /// <summary>Worker: tells the driver what is due.</summary>
    public bool Transmit(VirtioQueue queue)
    {
        bool worked = false;
        foreach (VirtioConsolePort port in ports)
        {
            while (NextDue(port) is var due && due != ConsoleDue.None && queue.TryTake(out VirtioChain? chain))
            {
                worked = true;
                Interlocked.And(ref _due[port.Index], ~(int)due);
                Span<byte> message = Write(port, due);
                chain.Complete(chain.Writable.TryWrite(0, message) ? message.Length : 0);
            }
        }
        return worked;
    }

    private void Handle(ConsoleMessage message)
    {
        if (message.Event == ConsoleEvent.DeviceReady)
        {
            foreach (VirtioConsolePort port in ports)
            {
                if (message.Value != 0)
                    Send(port, ConsoleDue.Add);
            }
            return;
        }
        if (message.Port >= (uint)ports.Count)
        {
            console.DriverFailed($"a control message is about the port {message.Port} of {ports.Count}");
            return;
        }
        VirtioConsolePort about = ports[(int)message.Port];
        if (message.Event == ConsoleEvent.PortReady)
        {
            _ready[about.Index] = message.Value != 0;
            Send(about, about.IsConsole ? ConsoleDue.Console | ConsoleDue.Open | ConsoleDue.Resize : ConsoleDue.Name | ConsoleDue.Open);
            if (about.IsConsole)
                about.SetGuestOpen(message.Value != 0);
        }
        else if (message.Event == ConsoleEvent.PortOpen)
        {
            about.SetGuestOpen(message.Value != 0);
        }
    }

    // one at a time, the lowest bit first; a port that is not ready can only be added
    private ConsoleDue NextDue(VirtioConsolePort port)
    {
        int due = Volatile.Read(ref _due[port.Index]);
        if (!_ready[port.Index])
            due &= (int)ConsoleDue.Add;
        else if ((console.Features & (ulong)ConsoleFeatures.Size) == 0)
            due &= ~(int)ConsoleDue.Resize;
        return (ConsoleDue)(due & -due);
    }

    private Span<byte> Write(VirtioConsolePort port, ConsoleDue due)
    {
        (ConsoleEvent about, ushort value) = due switch
        {
            ConsoleDue.Add => (ConsoleEvent.PortAdd, (ushort)1),
            ConsoleDue.Console => (ConsoleEvent.ConsolePort, (ushort)1),
            ConsoleDue.Name => (ConsoleEvent.PortName, (ushort)1),
            ConsoleDue.Resize => (ConsoleEvent.Resize, (ushort)1),
            _ => (ConsoleEvent.PortOpen, port.IsConnected ? (ushort)1 : (ushort)0),
        };
        ConsoleMessage message = new((uint)port.Index, about, value);
        MemoryMarshal.Write(_message, in message);
        Span<byte> rest = _message.AsSpan(ConsoleMessage.Length);
        int length = due switch
        {
            ConsoleDue.Name => Encoding.ASCII.GetBytes(port.Name, rest),
            ConsoleDue.Resize => WriteSize(rest),
            _ => 0,
        };
        return _message.AsSpan(0, ConsoleMessage.Length + length);
    }

    // The columns first, as the specification has it. Linux before 6.15 takes them for the rows, and QEMU has it that way.
    private int WriteSize(Span<byte> to)
    {
        ConsoleConfig config = console.Size;
        MemoryMarshal.Write(to, in config.Columns);
        MemoryMarshal.Write(to[sizeof(ushort)..], in config.Rows);
        return 2 * sizeof(ushort);
    }
}
