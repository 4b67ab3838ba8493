using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Unmasks an interrupt whenever the client signals an eventfd, on a thread of its own.</summary>
/// <remarks>
/// The specification has the server write to this eventfd. The kernel's VFIO reads it, and QEMU with KVM relies on that:
/// KVM signals it when the guest has handled the interrupt, and no message is sent.
/// </remarks>
internal sealed class UnmaskWatch : IDisposable
{
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(10);

    private readonly Irq _irq;
    private readonly EventFd _handled;
    private readonly EventFd _stop;
    private readonly Thread _thread;

    private UnmaskWatch(Irq irq, EventFd handled, EventFd stop)
    {
        _irq = irq;
        _handled = handled;
        _stop = stop;
        _thread = new Thread(Run) { Name = "vfio-user unmask", IsBackground = true };
    }

    /// <summary>Takes over the eventfd, also when it fails.</summary>
    /// <exception cref="IOException">The process has no descriptor left.</exception>
    public static UnmaskWatch Start(Irq irq, EventFd handled)
    {
        EventFd? stop = null;
        try
        {
            stop = new EventFd();
            UnmaskWatch watch = new(irq, handled, stop);
            watch._thread.Start();
            return watch;
        }
        catch
        {
            stop?.Dispose();
            handled.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        _stop.Signal();
        // unmasking delivers, and the client may have made that wait
        while (!_thread.Join(RetryInterval))
            _irq.Unblock();
        _stop.Dispose();
        _handled.Dispose();
    }

    private void Run()
    {
        try
        {
            while (PollCalls.WaitForFirst(_handled.Handle, _stop.Handle))
            {
                if (_handled.TakeShared() != 0)
                    Unmask();
            }
        }
        catch (IOException)
        {
            // what the client gave is no eventfd after all: it will be unmasked by message, or not at all
        }
    }

    private void Unmask()
    {
        try
        {
            _irq.Unmask();
        }
        catch (Exception e)
        {
            _irq.Device?.Notifiers.Report(DeviceCallback.IrqMask, e);
        }
    }
}
