namespace VfioUser.Virtio;

/// <summary>A console for a guest, and ports beside it: Linux shows them as /dev/hvc0 and /dev/virtio-ports/NAME.</summary>
/// <remarks>
/// <para>A migration carries what the driver knows of the ports. Bytes that wait in the pipes stay where they are.</para>
/// <para>VIRTIO 1.3 5.3 "Console Device".</para>
/// </remarks>
public sealed class VirtioConsole : VirtioDevice
{
    private const int PortQueueSize = 128;
    private const int ControlQueueSize = 64;
    private const ulong Offered = (ulong)(ConsoleFeatures.Size | ConsoleFeatures.MultiplePorts | ConsoleFeatures.EmergencyWrite)
        | (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder);

    private readonly VirtioConsolePort[] _ports;
    private readonly ConsoleControl _control;
    private readonly VirtioConfig<ConsoleConfig> _config;

    /// <summary>Creates the device.</summary>
    /// <param name="options">Null for the defaults: a console of 80 columns and 25 rows, and no other port.</param>
    /// <exception cref="ArgumentException">The options are not valid.</exception>
    public VirtioConsole(VirtioConsoleOptions? options = null)
        : base(VirtioDeviceType.Console, queues: 2 * (Valid(ref options).Ports.Count + 2), Offered)
    {
        _ports = [.. options!.Ports.Prepend("").Select((name, index) => new VirtioConsolePort(this, index, name, options.BufferSize))];
        _control = new ConsoleControl(this, _ports);
        AddQueues(_ports[0]);
        _control.ToDriver = AddQueue("control to driver", ControlQueueSize, _control.Transmit);
        AddQueue("control to device", ControlQueueSize, _control.Receive);
        foreach (VirtioConsolePort port in _ports.Skip(1))
            AddQueues(port);
        _config = AddConfig(new ConsoleConfig { Columns = (ushort)options.Columns, Rows = (ushort)options.Rows, Ports = (uint)_ports.Length });
        AddState("virtio.console", () => _control.State, state => _control.Restore(state));
        EnableMigration();
    }

    /// <summary>The console, which is port 0.</summary>
    public VirtioConsolePort Terminal => _ports[0];

    /// <summary>All ports: the console, then the named ones in their order.</summary>
    public IReadOnlyList<VirtioConsolePort> Ports => _ports;

    /// <summary>The port of a name.</summary>
    /// <exception cref="KeyNotFoundException">There is none.</exception>
    public VirtioConsolePort this[string name] =>
        _ports.Skip(1).FirstOrDefault(port => string.Equals(port.Name, name, StringComparison.Ordinal))
        ?? throw new KeyNotFoundException($"The console has no port {name}.");

    internal ConsoleConfig Size => _config.Value;

    /// <summary>The terminal has another size: the guest is told.</summary>
    /// <param name="columns">Width in characters: 0 to 65535.</param>
    /// <param name="rows">Height in lines: 0 to 65535.</param>
    /// <remarks>Any thread; one at a time.</remarks>
    public void Resize(int columns, int rows)
    {
        VirtioConsoleOptions.CheckSize(columns, rows);
        _config.Value = _config.Value with { Columns = (ushort)columns, Rows = (ushort)rows };
        Send(Terminal, ConsoleDue.Resize);
    }

    internal void Send(VirtioConsolePort port, ConsoleDue due) => _control.Send(port, due);

    /// <inheritdoc/>
    protected override void OnDriverReady()
    {
        // without control messages nobody says so
        if ((Features & (ulong)ConsoleFeatures.MultiplePorts) == 0)
            Terminal.SetGuestOpen(true);
    }

    /// <inheritdoc/>
    protected override void OnDriverGone() => _control.Restore(default);

    /// <inheritdoc/>
    protected override void OnConfigWritten(int offset, ReadOnlySpan<byte> source)
    {
        if (offset == ConsoleConfig.EmergencyOffset)
            Terminal.ReceiveEmergency(source[0]);
    }

    private static VirtioConsoleOptions Valid(ref VirtioConsoleOptions? options)
    {
        options ??= new VirtioConsoleOptions();
        options.Check();
        return options;
    }

    private void AddQueues(VirtioConsolePort port)
    {
        string name = port.IsConsole ? "console" : $"port {port.Name}";
        VirtioQueue toGuest = AddQueue($"{name} to guest", PortQueueSize, port.Transmit);
        port.SetQueues(toGuest, AddQueue($"{name} from guest", PortQueueSize, port.Receive));
    }
}
