using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Protocol;
using VfioUser.Protocol.Interop;

namespace VfioUser.Benchmarks;

/// <summary>The rows within one process: what it costs to find guest memory, to hold it and to let it go.</summary>
/// <remarks>Sweeps go from region to region, so that nothing that was found before helps.</remarks>
internal sealed class LookupRows
{
    private const int Page = 4096;
    private const int Times = 1_000_000;
    private readonly byte[] _destination = GC.AllocateArray<byte>(Page, pinned: true);
    private readonly SharedMemory _memory = SharedMemory.Create(Page);
    private readonly FileWindows _windows = new(DmaBudget.OfProcess, TimeProvider.System);

    public IEnumerable<Row> All()
    {
        Dma one = Mapped(1);
        yield return BesideCopy("4 KiB mapped copy, lookup and release included", 1.5, () =>
        {
            for (int i = 0; i < Times; i++)
                one.TryRead(new Iova(Page), _destination);
        });
        Dma some = Mapped(1_000);
        yield return BesideCopy("lookup, access in place and release, 1,000 mapped", 1.67, () => Sweep(some, 1_000));
        yield return BesideCopy("a lease, at one address", 0.37, () => SweepLeases(one, 1));
        yield return BesideCopy("a lease, 1,000 mapped", 1.3, () => SweepLeases(some, 1_000));
        yield return BesideCopy("a pin, at one address", 1, () => SweepPins(one, 1));
        yield return BesideCopy("a pin, 1,000 mapped", 1.3, () => SweepPins(some, 1_000));
        Dma many = Mapped(50_000);
        yield return BesideCopy("lookup, access in place and release, 50,000 mapped", 1.89, () => Sweep(many, 50_000));
        Dma unmapped = Unmapped(100_000);
        yield return BesideCopy("lookup and release, 100,000 not mapped", 1.89, () => SweepTable(unmapped, 100_000));
        yield return new Row("two threads at once, 50,000 mapped", "lookups/µs", 1.7,
            () => Rate(1, from => Sweep(many, 50_000, from)),
            () => Rate(2, from => Sweep(many, 50_000, from)));
        yield return DirtyMarking();
    }

    private Row BesideCopy(string name, double target, Action times) => new(name, "ns", target,
        () => Each(() =>
        {
            for (int i = 0; i < Times; i++)
                _memory.Slice(0, Page).CopyTo(_destination);
        }),
        () => Each(times));

    private Row DirtyMarking()
    {
        Dma plain = Mapped(1);
        Dma marked = Mapped(1);
        marked.Table.All.Single().Dirty = new DirtyPages(Page, 2 * Page - 1, Page);
        Action Writes(Dma dma) => () =>
        {
            for (int i = 0; i < Times; i++)
                dma.TryWrite(new Iova(Page), 42ul);
        };
        return new Row("8-byte mapped write, dirty pages tracked", "ns", 10, () => Each(Writes(plain)), () => Each(Writes(marked)))
        {
            IsDifference = true,
        };
    }

    private static double Each(Action times)
    {
        long start = Stopwatch.GetTimestamp();
        times();
        return Stopwatch.GetElapsedTime(start).TotalNanoseconds / Times;
    }

    // each begins somewhere else, as queues do
    private static double Rate(int threads, Action<int> times)
    {
        using Barrier ready = new(threads + 1);
        Thread[] all = [.. Enumerable.Range(0, threads).Select(core => new Thread(() =>
        {
            Bare.Pin(core);
            ready.SignalAndWait();
            times(core * 25_000);
        }))];
        foreach (Thread thread in all)
            thread.Start();
        long start = Stopwatch.GetTimestamp(); // before the barrier: with a real-time priority, they may be done when it returns
        ready.SignalAndWait();
        foreach (Thread thread in all)
            thread.Join();
        return (double)threads * Times / Stopwatch.GetElapsedTime(start).TotalMicroseconds;
    }

    private static void Sweep(Dma dma, int regions, int from = 0)
    {
        for (int done = 0; done < Times; from = 0)
        {
            for (int i = from; i < regions && done < Times; i++, done++)
                dma.TryAccess(AddressOf(i), 64, writable: false, 0, static (_, _) => { });
        }
    }

    private static void SweepLeases(Dma dma, int regions)
    {
        for (int done = 0; done < Times;)
        {
            for (int i = 0; i < regions && done < Times; i++, done++)
            {
                if (!dma.TryLease(AddressOf(i), 64, writable: true, out DmaLease lease))
                    throw new InvalidOperationException("The memory cannot be leased.");
                lease.Dispose();
            }
        }
    }

    private static void SweepPins(Dma dma, int regions)
    {
        for (int done = 0; done < Times;)
        {
            for (int i = 0; i < regions && done < Times; i++, done++)
            {
                if (!dma.TryPin(AddressOf(i), 64, DmaPinAccess.Write, out DmaPin pin))
                    throw new InvalidOperationException("The memory cannot be pinned.");
                pin.Dispose();
            }
        }
    }

    // what is not mapped is copied by message: here for the lookup alone
    private static void SweepTable(Dma dma, int regions)
    {
        for (int done = 0; done < Times;)
        {
            for (int i = 0; i < regions && done < Times; i++, done++)
            {
                GuestRegion mapping = dma.Table.Find(AddressOf(i).Value)!;
                mapping.TryEnter();
                mapping.Exit();
            }
        }
    }

    // Regions of a page each, all on the same page of the file, with a page between them.
    private Dma Mapped(int regions)
    {
        DmaMap map = new(DmaMap.WireSize, DmaMapFlags.Readable | DmaMapFlags.Writeable, 0, 0, Page);
        FileCalls.TryDescribe(_memory.File, out FileFacts facts);
        return Filled(regions, DmaBacking.Mapped, region =>
        {
            FileWindow window = _windows.TryEnter(_memory.File, facts, map) ?? _windows.TryOpen(_memory.File, facts, map, out _)
                ?? throw new InvalidOperationException("The memory cannot be mapped.");
            return new MappedGuestRegion(region, window, 0);
        });
    }

    private static Dma Unmapped(int regions)
    {
        (MessageSocket socket, _) = MessageSocket.CreatePair();
        DmaChannel channel = new(new MessageChannel(socket), Page, () => { }, new DmaTrouble(new ServerLog(NullLogger.Instance), TimeSpan.FromSeconds(5)));
        return Filled(regions, DmaBacking.Message, region => new MessageGuestRegion(region, channel));
    }

    private static Dma Filled(int regions, DmaBacking way, Func<DmaRegion, GuestRegion> make)
    {
        Dma dma = new() { MayMaster = true };
        for (int i = 0; i < regions; i++)
            dma.Table = dma.Table.Add(make(new DmaRegion(AddressOf(i), Page, isReadable: true, isWritable: true, way)));
        return dma;
    }

    private static Iova AddressOf(int region) => new((ulong)(2 * region + 1) * Page);
}
