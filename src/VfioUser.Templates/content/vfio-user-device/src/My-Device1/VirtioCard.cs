using VfioUser.Virtio;

#if (idOfVirtio)
#error --vendor and --device are for devices without --virtio: virtio devices have ids of their own
#endif
namespace My_Device1;

/// <summary>A source of entropy, whose bytes are this program's: Linux shows them as /dev/hwrng, with the driver that it has.</summary>
public sealed class Card : VirtioDevice
{
    private const int MaxLength = 4096;

    private byte _next;

    public Card()
        : base(VirtioDeviceType.Entropy, queues: 1)
    {
        AddQueue("requests", maxSize: 64, Serve);
    }

    // A buffer of the driver's: what it has written is Readable, and what it wants is written to Writable.
    private void Serve(VirtioChain chain)
    {
        Span<byte> bytes = stackalloc byte[(int)Math.Min(chain.Writable.Length, MaxLength)];
        foreach (ref byte value in bytes)
        {
            value = _next++; // in place of random numbers, so that a guest sees whose they are
        }

        // a bad address is the guest's mistake, and no exception
        chain.Complete(chain.Writable.TryWrite(0, bytes) ? bytes.Length : 0);
    }
}
