using System.Threading.Channels;

namespace VfioUser.Docs.Tests.Threading;

/// <summary>Long work on a task of its own: the doorbell takes the job and returns, an interrupt tells of the end.</summary>
internal sealed class Accelerator : PciDevice
{
    private readonly Channel<Iova> _jobs = Channel.CreateBounded<Iova>(16);
    private readonly Register<uint> _busy;
    private readonly Register<ulong> _result;
    private readonly Irq _done;

    public Accelerator()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00EC), PciClass.ProcessingAccelerator)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x2000);
        _done = bar0.AddMsiX(offset: 0x1000, vectors: 1)[0];
        _busy = bar0.AddRegister<uint>(0x08, RegisterAccess.ReadOnly);
        _result = bar0.AddRegister<ulong>(0x10, RegisterAccess.ReadOnly);
        bar0.AddDoorbell<ulong>(0x00, address => // command thread: microseconds
        {
            _busy.Value = _jobs.Writer.TryWrite(new Iova(address)) ? 0u : 1u;
        });
        AddWorker("sum", WorkAsync);
    }

    protected override void OnReset(ResetReason reason)
    {
        while (_jobs.Reader.TryRead(out _))
        {
            // void: they were of before the reset
        }
    }

    private async Task WorkAsync(DeviceWork work, CancellationToken stop) // thread pool: as long as it takes
    {
        byte[] buffer = new byte[4096];
        while (await _jobs.Reader.WaitToReadAsync(stop))
        {
            using (await work.EnterAsync()) // not while the device is reset
            {
                if (_jobs.Reader.TryRead(out Iova job) && Dma.TryRead(job, buffer)) // from any thread
                {
                    _result.Value = (ulong)buffer.Sum(value => (long)value);
                    _done.Trigger(); // what was written before is there when the guest is interrupted
                }
            }
        }
    }
}
