using VfioUser;

namespace E1000.Device;

/// <summary>Causes, their mask, INTx, and how often it may come: ICR, ITR, ICS, IMS, IMC. Command thread.</summary>
internal sealed class Interrupts
{
    private const InterruptCauses All = (InterruptCauses)0x1FFFF;

    private readonly Register<InterruptCauses> _causes, _mask;
    private readonly Register<uint> _interval; // 256 ns
    private readonly Intx _intx;
    private readonly InterruptThrottle _throttle;
    private readonly List<DelayedInterrupt> _delayed = [];

    public Interrupts(RegisterBlock csr, PciDevice card)
    {
        _intx = card.AddIntx();
        _throttle = new InterruptThrottle(card, Update);
        _causes = csr.AddRegister<InterruptCauses>(0x00C0, new()
        {
            Name = "ICR",
            ReadToClear = All,
            WriteOneToClear = All,
            OnRead = Acknowledge,
            OnWrite = _ => Update(),
        });
        _interval = csr.AddRegister<uint>(0x00C4, new() { Name = "ITR", WriteMask = 0xFFFF });
        csr.AddRegister<InterruptCauses>(0x00C8, new() { Name = "ICS", SelfClearing = All, OnWrite = write => Raise(write.New) });
        _mask = csr.AddRegister<InterruptCauses>(0x00D0, new() { Name = "IMS", WriteOneToSet = All, OnWrite = _ => Update() });
        csr.AddView(0x00D8, _mask, RegisterAccess.WriteOneToClear, "IMC");
    }

    /// <summary>Has what waits there told to the guest with the next interrupt, if that comes earlier.</summary>
    public void Add(DelayedInterrupt delayed) => _delayed.Add(delayed);

    public void Raise(InterruptCauses causes)
    {
        _causes.SetBits(causes);
        Update();
    }

    /// <summary>The registers are reset: so is what follows from them.</summary>
    public void Reset()
    {
        _throttle.Reset();
        Update();
    }

    // called after the read has cleared the causes
    private InterruptCauses Acknowledge(InterruptCauses read)
    {
        Update();
        return read;
    }

    private void Update()
    {
        if ((_causes.Value & _mask.Value) == 0)
        {
            if (_intx.IsAsserted)
                _intx.Deassert();
        }
        else if (!_intx.IsAsserted && _throttle.TryPass(TimeSpan.FromTicks(_interval.Value * 256 / TimeSpan.NanosecondsPerTick)))
        {
            foreach (DelayedInterrupt delayed in _delayed)
                _causes.SetBits(delayed.Take());
            _intx.Assert();
        }
    }
}
