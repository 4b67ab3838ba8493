using System.Threading.Channels;

namespace VfioUser.Tests.Quiesce;

#pragma warning disable CA1001 // a SemaphoreSlim whose wait handle nobody asks for holds nothing to dispose of

// docs/quiesce.md shows this device.
internal sealed class CopyEngine : PciDevice
{
    private readonly Channel<(Iova From, Iova To, int Length)> _jobs = Channel.CreateBounded<(Iova, Iova, int)>(16);
    private readonly SemaphoreSlim _work = new(1); // whoever has it may work, or keep the device from it
    private readonly Irq _done;

    public CopyEngine() : base(new PciId(Vendor: 0x1B36, Device: 0x00F6), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        _done = bar0.AddMsiX(offset: 0x800, vectors: 1)[0];
        Register<ulong> from = bar0.AddRegister<ulong>(offset: 0x00);
        Register<ulong> to = bar0.AddRegister<ulong>(offset: 0x08);
        bar0.AddDoorbell<uint>(offset: 0x10, length =>
            _jobs.Writer.TryWrite((new Iova(from.Value), new Iova(to.Value), (int)Math.Min(length, 4096))));
        _ = WorkAsync();
    }

    protected override async ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
    {
        await _work.WaitAsync(cancellation); // until the job that is being done is done
        return true;
    }

    protected override void OnResume(QuiesceReason reason) => _work.Release();

    protected override void OnReset(ResetReason reason)
    {
        while (_jobs.Reader.TryRead(out _))
        {
            // forgotten; nobody takes one now
        }
    }

    private async Task WorkAsync()
    {
        byte[] buffer = new byte[4096];
        while (await _jobs.Reader.WaitToReadAsync())
        {
            await _work.WaitAsync();
            try
            {
                if (_jobs.Reader.TryRead(out (Iova From, Iova To, int Length) job)
                    && Dma.TryRead(job.From, buffer.AsSpan(0, job.Length)) && Dma.TryWrite(job.To, buffer.AsSpan(0, job.Length)))
                {
                    _done.Trigger();
                }
            }
            finally
            {
                _work.Release();
            }
        }
    }
}
