namespace VfioUser.Docs.Tests.Workers;

/// <summary>A thread that polls guest memory.</summary>
internal sealed class Scrubber : PciDevice
{
    private readonly Register<ulong> _ring;
    private readonly Irq _found;

    public Scrubber()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EE), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _ring = bar0.AddRegister<ulong>(0x00);
        _found = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        AddWorkerThread("poll", Poll);
    }

    private void Poll(DeviceWork work, CancellationToken stop)
    {
        uint seen = 0;
        while (!stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1)))
        {
            using (work.Enter()) // throws when the run has ended
            {
                if (Dma.TryRead(new Iova(_ring.Value), out uint value) && value != seen)
                {
                    seen = value;
                    _found.Trigger();
                }
            }
        }
    }
}
