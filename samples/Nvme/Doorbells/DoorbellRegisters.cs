using System.Runtime.InteropServices;
using VfioUser;

namespace Nvme.Doorbells;

/// <summary>Doorbell registers: what the guest wrote last, for each queue a tail and a head. NVMe 1.4 3.1.24, 3.1.25.</summary>
/// <remarks>Any thread. In memory of ours, or on a page that the client maps and writes unseen.</remarks>
internal sealed class DoorbellRegisters
{
    /// <summary>Where they begin in BAR 0.</summary>
    public const ulong Offset = 0x1000;
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

    /// <summary>How many there are: two a queue, the admin queue's first.</summary>
    public int Count { get; }

    /// <summary>Whether the guest may write without anybody telling us.</summary>
    public bool IsMapped => _page is not null;

    public static int TailOf(int queue) => 2 * queue;

    public static int HeadOf(int queue) => 2 * queue + 1;

    public uint Read(int index) => Volatile.Read(ref At(index));

    public void Write(int index, uint value) => Volatile.Write(ref At(index), value);

    private ref uint At(int index)
    {
        if (_page is null)
            return ref _values[index];
        return ref MemoryMarshal.AsRef<uint>(_page.Span(Offset + (ulong)index * sizeof(uint), sizeof(uint)));
    }
}
