namespace VfioUser.Tests.Work;

/// <summary>A ring in guest memory, whose driver writes a doorbell only when the worker asked for it. As <c>docs/workers.md</c> has it.</summary>
internal sealed class RingCard : PciDevice
{
    public RingCard()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F7), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        Irq done = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        Register<ulong> ring = bar0.AddRegister<ulong>(offset: 0x00);
        Worker = new RingWorker(this, ring, done);
        bar0.AddDoorbell<uint>(offset: 0x08, _ => Worker.Wake());
    }

    public RingWorker Worker { get; }
}

internal sealed class RingWorker(RingCard card, Register<ulong> ring, Irq done) : PollingWorker(card, "ring")
{
    private uint _seen;

    protected override IdleStrategy Idle { get; } = new() { Spin = TimeSpan.FromMicroseconds(50) };

    protected override bool Poll()
    {
        if (!card.Dma.TryRead(new Iova(ring.Value), out uint written) || written == _seen)
            return false;
        _seen = written;
        done.Trigger();
        return true;
    }

    // the driver writes the doorbell when it goes past this value
    protected override bool Arm()
    {
        if (!card.Dma.TryWrite(new Iova(ring.Value) + 4, _seen))
            return false;
        Interlocked.MemoryBarrier();
        return card.Dma.TryRead(new Iova(ring.Value), out uint written) && written != _seen;
    }
}
