namespace VfioUser.Testing;

/// <summary>A buffer that a virtio device has given back. Immutable.</summary>
public readonly record struct VirtioUsed
{
    internal VirtioUsed(ushort id, uint written) => (Id, Written) = (id, written);

    /// <summary>As <see cref="VirtioDriverQueue.Add(ReadOnlySpan{VirtioPart})"/> returned it.</summary>
    public ushort Id { get; }

    /// <summary>Bytes that the device has written.</summary>
    public long Written { get; }
}
