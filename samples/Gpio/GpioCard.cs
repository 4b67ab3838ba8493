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
public sealed class GpioCard : PciDevice, IRegionHandler
{
    private const byte PortAChanged = 1 << 0;
    private const byte PortBChanged = 1 << 1;
    private const byte InterruptPending = 1 << 2;

    private readonly Lock _lock = new();
    private readonly Intx _intx;
    private ushort _outputs;
    private ushort _inputs;
    private byte _status;
    private bool _interruptEnabled;

    public GpioCard()
        : base(new PciId(Vendor: 0x494F, Device: 0x0DC8), PciClass.Unclassified)
    {
        AddBar(2, BarKind.Io, size: 0x100, handler: this);
        _intx = AddIntx();
    }

    /// <summary>Raised on the Command thread when the guest has changed outputs.</summary>
    public event Action<ushort>? OutputsChanged;

    /// <summary>The outputs, which the guest sets; bit n is output n. Any thread.</summary>
    public ushort Outputs => Volatile.Read(ref _outputs);

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
                _status |= InterruptPending;
                _status |= (byte)(((changed & 0xFF) != 0 ? PortAChanged : 0) | ((changed >> 8) != 0 ? PortBChanged : 0));
                _intx.Assert();
            }
        }
    }

    public void Read(ulong offset, Span<byte> destination)
    {
        for (int i = 0; i < destination.Length; i++)
            destination[i] = Read((int)offset + i);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < source.Length; i++)
            Write((int)offset + i, source[i]);
    }

    protected override void OnReset(ResetReason reason)
    {
        lock (_lock)
        {
            _interruptEnabled = false;
            _status = 0;
        }
        SetOutputs(0);
    }

    private byte Read(int register)
    {
        lock (_lock)
        {
            switch (register)
            {
                case 0x0: return (byte)_outputs;
                case 0x1: return (byte)_inputs;
                case 0x2: _interruptEnabled = true; return 0;
                case 0x4: return (byte)(_outputs >> 8);
                case 0x5: return (byte)(_inputs >> 8);
                case 0x6: return _status;
                default: return 0;
            }
        }
    }

    private void Write(int register, byte value)
    {
        switch (register)
        {
            case 0x0: SetOutputs((ushort)((Outputs & 0xFF00) | value)); break;
            case 0x1: ClearInterrupt(disable: false); break;
            case 0x2: ClearInterrupt(disable: true); break;
            case 0x4: SetOutputs((ushort)((Outputs & 0x00FF) | (value << 8))); break;
        }
    }

    private void ClearInterrupt(bool disable)
    {
        lock (_lock)
        {
            if (disable)
                _interruptEnabled = false;
            _status = 0;
            _intx.Deassert();
        }
    }

    private void SetOutputs(ushort outputs)
    {
        if (outputs == Outputs)
            return;
        Volatile.Write(ref _outputs, outputs);
        OutputsChanged?.Invoke(outputs);
    }
}
