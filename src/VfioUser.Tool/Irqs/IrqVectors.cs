using Microsoft.Win32.SafeHandles;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Tool.Irqs;

/// <summary>Vectors of an interrupt type, an eventfd each, bound to the server until they are disposed. One thread.</summary>
internal sealed class IrqVectors : IDisposable
{
    private readonly VfioUserClient _client;
    private readonly uint _index;
    private readonly EventFd[] _vectors;
    private readonly EventFd _stop = new();
    private readonly PollSet _waiting;
    private readonly CancellationTokenRegistration _stopping;

    public IrqVectors(VfioUserClient client, uint index, uint count, CancellationToken stop)
    {
        _client = client;
        _index = index;
        _vectors = [.. Enumerable.Range(0, (int)count).Select(_ => new EventFd())];
        SafeFileHandle[] files = [.. _vectors.Select(vector => vector.Handle)];
        _waiting = new PollSet([.. files, _stop.Handle]);
        _stopping = stop.Register(() => _stop.Signal());
        client.SetIrqEventFds(index, 0, files);
    }

    /// <summary>Waits until a vector is triggered, or the wait is cancelled.</summary>
    /// <returns>False on timeout.</returns>
    public bool Wait(TimeSpan timeout) => _waiting.Wait((int)Math.Ceiling(timeout.TotalMilliseconds));

    /// <summary>Takes the interrupts since the last call: the vectors, and the number of signals of each.</summary>
    public IEnumerable<(int Vector, ulong Times)> Take()
    {
        for (int i = 0; i < _vectors.Length; i++)
        {
            if (_vectors[i].Take() is var times and > 0)
                yield return (i, times);
        }
    }

    /// <summary>Unmasks an automasked vector. Spec: VFIO_IRQ_SET_ACTION_UNMASK.</summary>
    public void Unmask(int vector) =>
        _client.SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, _index, (uint)vector, 1));

    /// <summary>Disables the interrupt type.</summary>
    public void Disable() => _client.DisableIrqs(_index);

    public void Dispose()
    {
        _stopping.Dispose();
        _waiting.Dispose();
        _stop.Dispose();
        foreach (EventFd vector in _vectors)
            vector.Dispose();
    }
}
