using System.Threading.Channels;

namespace VfioUser.Tests.Work;

// docs/workers.md shows this device.
internal sealed class CopyWorker : PciDevice
{
    private readonly Channel<(Iova From, Iova To, int Length)> _jobs = Channel.CreateBounded<(Iova, Iova, int)>(16);
    private readonly Irq _done;

    public CopyWorker() : base(new PciId(Vendor: 0x1B36, Device: 0x00F6), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _done = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        Register<ulong> from = bar0.AddRegister<ulong>(offset: 0x00);
        Register<ulong> to = bar0.AddRegister<ulong>(offset: 0x08);
        bar0.AddDoorbell<uint>(offset: 0x10, length =>
            _jobs.Writer.TryWrite((new Iova(from.Value), new Iova(to.Value), (int)Math.Min(length, 4096))));
        AddWorker("copy", CopyAsync);
    }

    protected override void OnReset(ResetReason reason)
    {
        while (_jobs.Reader.TryRead(out _))
        {
            // void; nobody is inside who could take one
        }
    }

    private async Task CopyAsync(DeviceWork work, CancellationToken stop)
    {
        byte[] buffer = new byte[4096];
        while (await _jobs.Reader.WaitToReadAsync(stop))
        {
            using (await work.EnterAsync())
            {
                if (_jobs.Reader.TryRead(out (Iova From, Iova To, int Length) job)
                    && Dma.TryRead(job.From, buffer.AsSpan(0, job.Length)) && Dma.TryWrite(job.To, buffer.AsSpan(0, job.Length)))
                {
                    _done.Trigger();
                }
            }
        }
    }
}
