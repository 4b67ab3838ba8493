using System.Diagnostics;
using VfioUser.PowerLoss.Tests.Guests;

namespace VfioUser.PowerLoss.Tests.Load;

/// <summary>A guest's driver that writes records, and flushes, and keeps the books of what is durable.</summary>
/// <remarks>As real ones do, it has no two operations on one sector under way.</remarks>
internal sealed class Workload(Ledger ledger, int sectors, Random random)
{
    public const int MostSectors = 128;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private readonly Queue<Operation> _answered = new(); // and not durable, in this order
    private long _covered; // how many were, and have left it
    private ulong _version;

    /// <summary>Whether reads are compared while it runs: not where a server comes back and has lost something.</summary>
    public bool ComparesReads { get; init; } = true;

    /// <summary>Writes, zeros and trims that the guest was told are durable.</summary>
    public long DurableOperations { get; private set; }

    /// <summary>Runs until an operation fails, and what is under way then has ended.</summary>
    /// <param name="guest">Its disk.</param>
    /// <param name="answeredIsDurable">Whether nothing need be flushed.</param>
    /// <param name="mostOperations">How many at most.</param>
    /// <returns>What failed first; null if nothing.</returns>
    public Operation? Run(IBlockGuest guest, bool answeredIsDurable, int mostOperations = int.MaxValue)
    {
        _covered += _answered.Count;
        _answered.Clear();
        Operation?[] slots = new Operation?[guest.Slots];
        long[] covers = new long[guest.Slots]; // of a flush: how much had been answered when it was sent
        Operation? failed = null;
        int under = 0;
        long begun = Stopwatch.GetTimestamp();
        while (true)
        {
            for (int slot = 0; slot < slots.Length && failed is null && mostOperations > 0; slot++)
            {
                if (slots[slot] is not null || Next(guest, slots) is not { } operation)
                    continue;
                (slots[slot], covers[slot]) = (operation, _covered + _answered.Count);
                ledger.Begin(operation);
                guest.Post(slot, operation);
                under++;
                mostOperations--;
            }
            if (under == 0)
                return failed;
            if (guest.TryTake(out int ended, out bool isDone))
            {
                Operation operation = slots[ended]!.Value;
                slots[ended] = null;
                under--;
                if (isDone)
                    End(guest, ended, operation, covers[ended], answeredIsDurable);
                else
                    failed ??= operation;
                begun = Stopwatch.GetTimestamp();
            }
            else if (Stopwatch.GetElapsedTime(begun) > Limit)
            {
                throw new TimeoutException($"{under} operations are not answered: {string.Join("; ", slots.Where(operation => operation is not null))}.");
            }
            else
            {
                Thread.Yield();
            }
        }
    }

    private void End(IBlockGuest guest, int slot, in Operation operation, long covers, bool answeredIsDurable)
    {
        switch (operation.Kind)
        {
            case OperationKind.Flush:
                for (; _covered < covers; _covered++)
                    MakeDurable(_answered.Dequeue());
                break;
            case OperationKind.Read:
                if (ComparesReads)
                    Compare(operation, guest.DataOf(slot, operation));
                break;
            case OperationKind.DurableWrite:
                MakeDurable(operation);
                break;
            case var _ when answeredIsDurable:
                MakeDurable(operation);
                break;
            default:
                _answered.Enqueue(operation);
                break;
        }
    }

    private void MakeDurable(in Operation operation)
    {
        ledger.MakeDurable(operation);
        DurableOperations++;
    }

    private void Compare(in Operation operation, ReadOnlySpan<byte> data)
    {
        for (int i = 0; i < operation.Count; i++)
        {
            ulong? found = Records.VersionOf(data.Slice(i * Operation.SectorSize, Operation.SectorSize), operation.Sector + i);
            if (!ledger.IsNewest(operation.Sector + i, found))
                throw new InvalidOperationException($"Sector {operation.Sector + i} was read as {found?.ToString() ?? "garbage"}, and has {ledger.Describe(operation.Sector + i)}.");
        }
    }

    // null: it would touch what is under way
    private Operation? Next(IBlockGuest guest, Operation?[] slots)
    {
        OperationKind kind = random.Next(100) switch
        {
            < 8 => OperationKind.Flush,
            < 20 => OperationKind.Read,
            < 32 => guest.HasDurableWrites ? OperationKind.DurableWrite : OperationKind.Write,
            < 37 => OperationKind.Zero,
            < 42 => OperationKind.Trim,
            _ => OperationKind.Write,
        };
        if (kind == OperationKind.Flush)
            return new Operation(kind, 0, 0, 0);
        int unit = guest.BlockSize / Operation.SectorSize;
        int count = random.Next(1, MostSectors / unit + 1) * unit;
        int sector = random.Next((sectors - count) / unit + 1) * unit;
        Operation operation = new(kind, sector, count, kind == OperationKind.Read ? 0 : ++_version);
        foreach (Operation? other in slots)
        {
            if (other?.Overlaps(operation) == true)
                return null;
        }
        return operation;
    }
}
