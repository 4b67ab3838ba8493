using System.Security.Cryptography;

namespace VfioUser.Virtio;

/// <summary>A source of entropy: Linux shows it as /dev/hwrng and seeds its own generator from it.</summary>
/// <remarks>VIRTIO 1.3 5.4 "Entropy Device". The random numbers are those of the operating system.</remarks>
public sealed class VirtioEntropy : VirtioDevice
{
    private const int QueueSize = 64;

    // a driver asks for some dozens of bytes; one that asks for more gets this many, and asks again
    private const int MostAtOnce = 4096;

    private readonly byte[] _random = new byte[MostAtOnce];

    /// <summary>Creates the device.</summary>
    public VirtioEntropy()
        : base(VirtioDeviceType.Entropy, queues: 1, (ulong)(VirtioFeatures.RingPacked | VirtioFeatures.InOrder))
    {
        AddQueue("requests", QueueSize, Serve);
        EnableMigration();
    }

    private void Serve(VirtioChain chain)
    {
        Span<byte> random = _random.AsSpan(0, (int)Math.Min(chain.Writable.Length, MostAtOnce));
        RandomNumberGenerator.Fill(random);
        chain.Complete(chain.Writable.TryWrite(0, random) ? random.Length : 0);
    }
}
