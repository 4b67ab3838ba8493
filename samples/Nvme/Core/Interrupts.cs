using Nvme.Doorbells;
using Nvme.Queues;
using VfioUser;

namespace Nvme.Core;

/// <summary>Tells the guest of completions: by MSI-X, or by the pin while MSI-X is off. NVMe 1.4 7.5.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class Interrupts(IrqVectors vectors, Intx pin, MsiXCapability capability, DoorbellRegisters doorbells, RundownGuard guest, Func<QueueSet> queues)
{
    private readonly Lock _lock = new();
    private uint _mask;

    /// <summary>Of the pin: bit 0 is all that matters, for every queue has vector 0 there.</summary>
    public uint Mask => Volatile.Read(ref _mask);

    public int Vectors => vectors.Count;

    /// <summary>Whether the pin is what the guest uses.</summary>
    public bool UsesPin => !capability.IsEnabled;

    public bool IsPinAsserted => pin.IsAsserted;

    /// <summary>Whether the pin is asserted and what lets it go is written where nobody tells of it.</summary>
    public bool NeedsLooks => UsesPin && pin.IsAsserted && (doorbells.IsMapped || queues().Shadow is not null);

    /// <summary>A completion was posted. Inside the guard.</summary>
    public void Notify(CompletionQueue queue)
    {
        if (!queue.InterruptsEnabled)
            return;
        if (UsesPin)
        {
            queue.LookInMemory();
            UpdatePin();
        }
        else
        {
            vectors[queue.Vector].Trigger();
        }
    }

    /// <summary>The driver has taken completions, has switched MSI-X on or off, or did something else that may let the pin go.</summary>
    /// <remarks>The Command thread calls it too: guest memory is not touched.</remarks>
    public void Update() => Update(look: false);

    /// <summary>As <see cref="Update()"/>, for what nobody tells of. Not on the Command thread.</summary>
    public void Look() => Update(look: true);

    private void Update(bool look)
    {
        if ((!UsesPin && !pin.IsAsserted) || !guest.TryEnter())
            return;
        try
        {
            for (int id = 0; look && id <= queues().LastId; id++)
                queues().Completion(id)?.LookInMemory();
            UpdatePin();
        }
        finally
        {
            guest.Exit();
        }
    }

    public void SetMask(uint bits)
    {
        Interlocked.Or(ref _mask, bits);
        Update();
    }

    public void ClearMask(uint bits)
    {
        Interlocked.And(ref _mask, ~bits);
        Update();
    }

    /// <summary>What was saved; the level of the pin is the library's.</summary>
    public void RestoreMask(uint mask) => Volatile.Write(ref _mask, mask);

    /// <summary>As after a reset of the controller.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            Volatile.Write(ref _mask, 0);
            pin.Deassert();
        }
    }

    private void UpdatePin()
    {
        // nobody waits for guest memory with this lock: the Command thread takes it
        lock (_lock)
        {
            bool assert = false;
            // a function with MSI-X enabled must not use the pin
            if (UsesPin && (_mask & 1) == 0)
            {
                for (int id = 0; id <= queues().LastId && !assert; id++)
                    assert = queues().Completion(id) is { InterruptsEnabled: true } queue && queue.IsUnread;
            }
            if (assert == pin.IsAsserted)
                return;
            if (assert)
                pin.Assert();
            else
                pin.Deassert();
        }
    }
}
