namespace VfioUser.Docs.Tests.Registers;

/// <summary>A network card in miniature: every kind of register.</summary>
internal sealed class Nic : PciDevice
{
    [Flags]
    public enum Control : uint
    {
        FullDuplex = 1 << 0,
        SetLinkUp = 1 << 6,
        Reset = 1 << 26,
    }

    public enum Speed : byte
    {
        Mbps10,
        Mbps100,
        Gbps1,
    }

    private readonly Register<Control> _control;
    private readonly RegisterField<bool> _linkUp;
    private readonly RegisterField<Speed> _speed;
    private readonly Register<uint> _cause, _mask, _select;
    private readonly RegisterArray<uint> _multicast, _statistics;
    private readonly RegisterArray<ulong> _rings;
    private readonly IReadOnlyList<Queue> _queues;
    private readonly Irq _irq;

    public Nic()
        : base(new PciId(0x1B36, 0x00E1), PciClass.NetworkEthernet)
    {
        Bar csr = AddBar(0, BarKind.Memory32, size: 0x20000);
        _irq = csr.AddMsiX(offset: 0x10000, vectors: 1)[0];

        _control = csr.AddRegister<Control>(0x0000, new() { Name = "CTRL", SelfClearing = Control.Reset, OnWrite = ControlWritten });
        Register<uint> status = csr.AddRegister<uint>(0x0008, new() { Name = "STATUS", Access = RegisterAccess.ReadOnly, ResetValue = 0x80 });
        _linkUp = status.AddFlag(1, "LU");
        _speed = status.AddField<Speed>(6, 2, "SPEED");

        _cause = csr.AddRegister<uint>(0x00C0, new() { Name = "ICR", ReadToClear = ~0u, WriteOneToClear = ~0u });
        _mask = csr.AddRegister<uint>(0x00D0, new() { Name = "IMS", Access = RegisterAccess.WriteOneToSet, OnWrite = _ => Signal() });
        csr.AddView(0x00D8, _mask, RegisterAccess.WriteOneToClear, "IMC");

        _statistics = csr.AddRegisters<uint>(0x4000, count: 64, new() { Name = "STAT", Access = RegisterAccess.ReadToClear });
        _multicast = csr.AddRegisters<uint>(0x5200, count: 128, new() { Name = "MTA" });
        _queues = csr.AddBlocks(0x2800, count: 4, stride: 0x100, "RX", (block, index) => new Queue(block, index));
        csr.AddTag(0x1000, 0x400, "EEPROM");

        _select = csr.AddRegister<uint>(0x6000, new() { Name = "SELECT" });
        _rings = csr.AddBankedRegisters<ulong>(0x6008, count: 4, bank: () => (int)_select.Value, new() { Name = "RING" });
    }

    public IReadOnlyList<Queue> Queues => _queues;

    public ulong RingOf(int queue) => _rings[queue].Value;

    public bool Accepts(int hash) => (_multicast[hash >> 5].Value >> (hash & 31) & 1) != 0;

    // any thread
    public void LinkChanged(Speed speed)
    {
        _speed.Value = speed;
        _linkUp.Value = true;
        _cause.SetBits(1 << 2);
        Signal();
    }

    // any thread
    public void Received(int length) => _statistics[2].AddSaturating((uint)length);

    private void ControlWritten(RegisterWrite<Control> write)
    {
        if (write.Sets(Control.Reset))
            ResetCard();
        else if (write.Changes(Control.SetLinkUp))
            LinkChanged(Speed.Gbps1);
    }

    private void ResetCard()
    {
        foreach (Queue queue in _queues)
            queue.Reset();
        _control.Reset();
        _mask.Reset();
    }

    private void Signal()
    {
        if ((_cause.Value & _mask.Value) != 0)
            _irq.Trigger();
    }
}
