using VfioUser;

namespace Gpio;

/// <summary>
/// The ACCES PCI-IDIO-16: 16 outputs, 16 inputs, and an interrupt when an input changes. Linux drives it with gpio-pci-idio-16.
/// </summary>
/// <remarks>
/// All registers are bytes in BAR 2, and most mean one thing to a read and another to a write:
/// <code>
///        read                    write
/// 0x0    outputs 0-7             outputs 0-7
/// 0x1    inputs 0-7              clear the interrupt
/// 0x2    enable the interrupt    disable the interrupt
/// 0x3    filters on              filters off
/// 0x4    outputs 8-15            outputs 8-15
/// 0x5    inputs 8-15             -
/// 0x6    interrupt status        -
/// </code>
/// </remarks>
public sealed class GpioCard : PciDevice
{
    private readonly Lock _lock = new();
    private readonly Intx _intx;
    private readonly RegisterArray<byte> _ports;
    private readonly Register<Causes> _status;
    private ushort _inputs;
    private ushort _lastOutputs;
    private bool _interruptEnabled;

    public GpioCard()
        : base(new PciId(Vendor: 0x494F, Device: 0x0DC8), PciClass.Unclassified)
    {
        Bar bar = AddBar(2, BarKind.Io, size: 0x100);
        _intx = AddIntx();
        _ports = bar.AddRegisters<byte>(0x0, count: 2, new() { Name = "OUT", Stride = 4, OnWrite = (_, _) => NotifyOutputs() });
        bar.AddRegister<byte>(0x1, new() { Name = "IN0", Access = RegisterAccess.ReadOnly, OnRead = _ => (byte)Inputs, OnWrite = _ => ClearInterrupt() });
        bar.AddRegister<byte>(0x5, new() { Name = "IN1", Access = RegisterAccess.ReadOnly, OnRead = _ => (byte)(Inputs >> 8) });
        bar.AddRegister<byte>(0x2, new() { Name = "IRQ", Access = RegisterAccess.ReadOnly, OnRead = _ => EnableInterrupt(), OnWrite = _ => ClearInterrupt(disable: true) });
        bar.AddRegister<byte>(0x3, new() { Name = "FILTER", Access = RegisterAccess.WriteOnly });
        _status = bar.AddRegister<Causes>(0x6, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly });
    }

    /// <summary>Raised on the Command thread when the guest has changed outputs.</summary>
    public event Action<ushort>? OutputsChanged;

    [Flags]
    private enum Causes : byte
    {
        PortAChanged = 1 << 0,
        PortBChanged = 1 << 1,
        Pending = 1 << 2,
    }

    /// <summary>The outputs, which the guest sets; bit n is output n. Any thread.</summary>
    public ushort Outputs => (ushort)(_ports[0].Value | _ports[1].Value << 8);

    /// <summary>The inputs, which the guest reads; bit n is input n. A change interrupts the guest. Any thread.</summary>
    public ushort Inputs
    {
        get => Volatile.Read(ref _inputs);
        set
        {
            lock (_lock)
            {
                int changed = _inputs ^ value;
                _inputs = value;
                if (changed == 0 || !_interruptEnabled)
                    return;
                _status.SetBits(Causes.Pending | ((byte)changed != 0 ? Causes.PortAChanged : 0) | (changed >> 8 != 0 ? Causes.PortBChanged : 0));
                _intx.Assert();
            }
        }
    }

    protected override void OnReset(ResetReason reason)
    {
        lock (_lock)
            _interruptEnabled = false;
        NotifyOutputs();
    }

    private byte EnableInterrupt()
    {
        lock (_lock)
            _interruptEnabled = true;
        return 0;
    }

    private void ClearInterrupt(bool disable = false)
    {
        lock (_lock)
        {
            _interruptEnabled &= !disable;
            _status.Value = 0;
            _intx.Deassert();
        }
    }

    private void NotifyOutputs()
    {
        ushort outputs = Outputs;
        if (outputs == _lastOutputs)
            return;
        _lastOutputs = outputs;
        OutputsChanged?.Invoke(outputs);
    }
}
