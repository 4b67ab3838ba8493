using VfioUser.Client;
using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>One interrupt vector, as the guest receives it.</summary>
public sealed class GuestIrq
{
    private readonly VfioUserClient _client;
    private readonly PciIrq _type;
    private readonly uint _vector;
    private readonly TimeSpan _timeout;
    private ulong _count;

    internal GuestIrq(VfioUserClient client, PciIrq type, uint vector, TimeSpan timeout)
    {
        _client = client;
        _type = type;
        _vector = vector;
        _timeout = timeout;
    }

    /// <summary>How often it came since the guest attached.</summary>
    public int Count
    {
        get
        {
            _count += EventFd.Take();
            return (int)_count;
        }
    }

    internal EventFd EventFd { get; } = new();

    /// <summary>Waits until it has come <paramref name="count"/> times since the guest attached.</summary>
    /// <exception cref="TimeoutException">It did not.</exception>
    public void WaitFor(int count)
    {
        while (Count < count)
        {
            if (!EventFd.Wait(_timeout))
                throw new TimeoutException($"{_type} vector {_vector} came {_count} times and not {count} within {_timeout}.");
        }
    }

    /// <summary>Masks it: what is triggered now comes when it is unmasked.</summary>
    public void Mask() => Act(IrqSetFlags.ActionMask);

    /// <summary>Unmasks it. For the interrupt pin, which masks itself when it comes: "handled".</summary>
    public void Unmask() => Act(IrqSetFlags.ActionUnmask);

    private void Act(IrqSetFlags action) =>
        _client.SetIrqs(new IrqSet(IrqSet.WireSize, IrqSetFlags.DataNone | action, (uint)_type, _vector, 1));
}
