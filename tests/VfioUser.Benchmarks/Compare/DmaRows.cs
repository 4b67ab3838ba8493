using System.Diagnostics;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Benchmarks;

/// <summary>The rows within one process: how much the way to guest memory adds to a copy.</summary>
internal sealed class DmaRows
{
    private const int Page = 4096;
    private const int Copies = 1_000_000;
    private readonly byte[] _destination = GC.AllocateArray<byte>(Page, pinned: true);

    public IEnumerable<Row> All()
    {
        yield return Copy();
    }

    private Row Copy()
    {
        SharedMemory memory = SharedMemory.Create(Page);
        Dma dma = Mapped(memory.File, 1);
        return new Row("4 KiB mapped copy, lookup and release included", "ns", 1.5,
            () =>
            {
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < Copies; i++)
                    memory.Slice(0, Page).CopyTo(_destination);
                return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Copies;
            },
            () =>
            {
                long start = Stopwatch.GetTimestamp();
                for (int i = 0; i < Copies; i++)
                    dma.TryRead(new Iova(Page), _destination);
                return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Copies;
            });
    }

    // Regions of a page each, all on the same page of the file, with a page between them.
    private static Dma Mapped(Microsoft.Win32.SafeHandles.SafeFileHandle file, int regions)
    {
        Dma dma = new();
        for (int i = 0; i < regions; i++)
        {
            MappedMemory mapping = MappedMemory.TryMap(file, 0, Page, readable: true, writable: true, out Errno errno)
                ?? throw new InvalidOperationException($"mmap: {errno}");
            DmaRegion region = new(new Iova((ulong)(2 * i + 1) * Page), Page, IsReadable: true, IsWritable: true, DmaWay.Mapped);
            dma.Table = dma.Table.Add(new MappedDma(region, mapping, DmaBudget.OfProcess));
        }
        return dma;
    }
}
