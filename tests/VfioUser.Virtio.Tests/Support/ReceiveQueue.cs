namespace VfioUser.Virtio.Tests;

/// <summary>A queue whose buffers the device fills, unasked.</summary>
internal sealed class ReceiveQueue
{
    private readonly VirtioDriver _driver; // its guest may migrate
    private readonly VirtioDriverQueue _queue;
    private readonly int _length;
    private readonly Dictionary<ushort, Iova> _buffers = [];

    public ReceiveQueue(VirtioDriver driver, int queue, int count = 8, int length = 4096)
    {
        (_driver, _queue, _length) = (driver, driver.Queues[queue], length);
        for (int i = 0; i < count; i++)
            Add(_driver.Guest.Memory.Allocate((ulong)length));
        _queue.Notify();
    }

    /// <summary>Waits for the next buffer, and gives the device another.</summary>
    public byte[] Receive() => Replace(_queue.Take());

    /// <summary>Takes the next buffer if there is one, and gives the device another.</summary>
    public bool TryReceive(out byte[] bytes)
    {
        bool isThere = _queue.TryTake(out VirtioUsed used);
        bytes = isThere ? Replace(used) : [];
        return isThere;
    }

    /// <summary>Waits for as many bytes as there should be.</summary>
    public byte[] Receive(int count)
    {
        List<byte> all = [];
        while (all.Count < count)
            all.AddRange(Receive());
        return [.. all];
    }

    private byte[] Replace(VirtioUsed used)
    {
        _buffers.Remove(used.Id, out Iova at);
        byte[] bytes = _driver.Guest.Memory.ReadBytes(at, (int)used.Written);
        Add(at);
        _queue.Notify();
        return bytes;
    }

    private void Add(Iova at) => _buffers[_queue.Add(new VirtioPart(at, _length, writable: true))] = at;
}
