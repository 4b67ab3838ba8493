using System.Collections;
using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>The vectors of one interrupt type. All are enabled when the guest attaches.</summary>
public sealed class GuestInterrupts : IReadOnlyList<GuestIrq>, IDisposable
{
    private readonly VfioUserClient _client;
    private readonly TimeSpan _timeout;
    private readonly GuestIrq[] _vectors;

    internal GuestInterrupts(VfioUserClient client, PciIrq type, TimeSpan timeout)
    {
        _client = client;
        _timeout = timeout;
        Type = type;
        _vectors = [.. Enumerable.Range(0, (int)client.GetIrqInfo((uint)type).Count).Select(vector => new GuestIrq(client, type, (uint)vector, timeout))];
        Enable();
    }

    /// <summary>What kind of interrupts they are.</summary>
    public PciIrq Type { get; }

    /// <summary>How many vectors the device has.</summary>
    public int Count => _vectors.Length;

    /// <summary>A vector, by its number from 0.</summary>
    public GuestIrq this[int index] => _vectors[index];

    /// <summary>Has the device signal every vector.</summary>
    public void Enable()
    {
        if (_vectors.Length > 0)
            _client.SetIrqEventFds((uint)Type, 0, [.. _vectors.Select(vector => vector.EventFd.Handle)]);
    }

    /// <summary>Turns all vectors off.</summary>
    public void Disable() => _client.DisableIrqs((uint)Type);

    /// <summary>All vectors in order.</summary>
    public IEnumerator<GuestIrq> GetEnumerator() => ((IEnumerable<GuestIrq>)_vectors).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Closes the eventfds.</summary>
    public void Dispose()
    {
        foreach (GuestIrq vector in _vectors)
            vector.EventFd.Dispose();
    }
}
