using System.Runtime.InteropServices;

namespace VfioUser.Nvme;

/// <summary>Doorbell registers: for each queue the tail and the head that the guest wrote last. NVMe 1.4 3.1.24, 3.1.25.</summary>
/// <remarks>Any thread. In private memory, or on a page that the client maps and writes without messages.</remarks>
internal sealed class DoorbellRegisters
{
    /// <summary>Offset in BAR 0.</summary>
    public const long Offset = 0x1000;
    public const int PageSize = 0x1000;

    private readonly uint[] _values = [];
    private readonly RegionMemory? _page;

    public DoorbellRegisters(Bar bar, int queues, bool mapped)
    {
        Count = 2 * queues;
        if (mapped)
            _page = bar.ShareMemory(new MemoryArea(Offset, PageSize));
        else
            _values = new uint[Count];
    }

    /// <summary>Number of doorbells: two a queue, the admin queue's first.</summary>
    public int Count { get; }

    /// <summary>Whether the guest writes them without messages.</summary>
    public bool IsMapped => _page is not null;

    /// <summary>Has a handler called when the guest has written mapped ones by message all the same. It runs on the Command
    /// thread, before the reply.</summary>
    public void AddMessageHandler(Action written) => _page?.AddWriteHandler((_, _) => written());

    public static int TailOf(int queue) => 2 * queue;

    public static int HeadOf(int queue) => 2 * queue + 1;

    public uint Read(int index) => Volatile.Read(ref At(index));

    public void Write(int index, uint value) => Volatile.Write(ref At(index), value);

    private ref uint At(int index)
    {
        if (_page is null)
            return ref _values[index];
        return ref MemoryMarshal.AsRef<uint>(_page.Span(Offset + index * sizeof(uint), sizeof(uint)));
    }
}
