using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser;

/// <summary>Unmasks an interrupt when the client signals an eventfd, on its own thread.</summary>
/// <remarks>
/// By the specification the server writes to this eventfd. The kernel's VFIO reads it, and QEMU with KVM relies on that:
/// KVM signals it when the guest has handled the interrupt, without a message.
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

    /// <summary>Starts the thread. Takes over the eventfd, even on failure.</summary>
    /// <exception cref="IOException">The process has no free descriptor.</exception>
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
        // the thread may be delivering, blocked in a full eventfd of the client
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
            // the descriptor cannot be read as an eventfd: only messages can unmask from now on
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
