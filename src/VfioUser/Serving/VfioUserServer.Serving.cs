using System.Net.Sockets;

namespace VfioUser;

/// <content>The thread of a run.</content>
public sealed partial class VfioUserServer
{
    internal static readonly TimeSpan AcceptAgainAfter = TimeSpan.FromMilliseconds(100);

    /// <summary>As <see cref="RunAsync(PciDevice, CancellationToken)"/>, and tells how it goes.</summary>
    internal Task RunAsync(PciDevice device, ServingStatus status, CancellationToken cancellation)
    {
        Occupy(device);
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() => CommandPump(device, status, done, cancellation)) { Name = "vfio-user commands", IsBackground = true };
        thread.Start();
        return done.Task;
    }

    // one run at a time, and the device is its own
    private void Occupy(PciDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        ObjectDisposedException.ThrowIf(_disposed.IsCancellationRequested, this);
        if (Interlocked.Exchange(ref _running, 1) != 0)
            throw new InvalidOperationException("The server serves a device already. A second device needs a second server.");
        try
        {
            device.BeginServing();
        }
        catch
        {
            Volatile.Write(ref _running, 0);
            throw;
        }
    }

    private void Free(PciDevice device)
    {
        try
        {
            device.EndServing();
        }
        catch (Exception e)
        {
            _log.DisposeThrew(e);
        }
        Volatile.Write(ref _running, 0);
    }

    private void CommandPump(PciDevice device, ServingStatus status, TaskCompletionSource done, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation, _disposed.Token);
        ServerRun run = new(device, _options, _log, status, MayBlock: true, stop.Token);
        Exception? failure = null;
        SafeSocketHandle? waiting = null;
        ListenerWatch watch = new(run, _clients);
        try
        {
            while (!stop.IsCancellationRequested && (waiting ?? NextClient(stop.Token)) is { } socket)
            {
                watch.Begin(socket);
                Serve(run, socket);
                waiting = watch.End();
            }
        }
        catch (OperationCanceledException)
        {
            // this is how a run ends
        }
        catch (Exception e)
        {
            failure = e;
        }
        finally
        {
            watch.Dispose();
            waiting?.Dispose();
            Free(device);
            status.Ended(failure);
        }
        if (failure is null)
            done.SetResult();
        else
            done.SetException(failure);
    }

    // a process that has no descriptor left has some again when a session somewhere else in it ends
    private SafeSocketHandle? NextClient(CancellationToken stop)
    {
        while (true)
        {
            try
            {
                return _clients.Next(stop);
            }
            catch (IOException e)
            {
                _log.CannotAccept(e.Message);
                stop.WaitHandle.WaitOne(AcceptAgainAfter);
                stop.ThrowIfCancellationRequested();
            }
        }
    }

    private static void Serve(ServerRun run, SafeSocketHandle socket)
    {
        try
        {
            using ClientConnection? client = ClientConnection.TryOpen(run, socket, wake: null);
            int unlimited = int.MaxValue;
            bool attached = false;
            while (client?.Step(ref unlimited, ref attached) == true)
                unlimited = int.MaxValue;
        }
        catch (Exception e)
        {
            run.Log.SessionFailed(e);
            run.Status.WentWrong(e);
        }
    }
}
