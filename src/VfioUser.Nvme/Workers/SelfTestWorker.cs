using System.Diagnostics;

namespace VfioUser.Nvme;

/// <summary>Carries self-tests out: reads namespaces, a piece at a time. NVMe 2.0 8.6.</summary>
/// <remarks>It touches nothing of the guest's, and leaves the disks to the guest for at least half of the time while there are
/// commands.</remarks>
internal sealed class SelfTestWorker
{
    private const int Piece = 64 << 10;
    private const int ShortPieces = 128; // of each namespace
    private const byte ReadSegment = 2; // the first one is the controller's own
    private const byte KnowsAll = 0b1111;

    private readonly ControllerParts _parts;
    private readonly Memory<byte> _buffer = AlignedMemory.Allocate(Piece);
    private long _commands;

    public SelfTestWorker(PciDevice device, ControllerParts parts)
    {
        _parts = parts;
        device.AddWorkerThread("nvme self-test", (_, stop) => Run(stop));
    }

    private void Run(CancellationToken stop)
    {
        using CancellationTokenRegistration stopping = stop.UnsafeRegister(static tests => ((SelfTests)tests!).Stop(), _parts.SelfTests);
        while (_parts.SelfTests.Take(stop) is { } test)
        {
            try
            {
                Perform(test);
            }
            finally
            {
                _parts.SelfTests.Done();
            }
        }
    }

    private void Perform(SelfTest test)
    {
        long[] pieces = [.. test.Spaces.Select(space => PiecesOf(test, space))];
        long total = pieces.Sum();
        long done = 0;
        for (int i = 0; i < pieces.Length; i++)
        {
            Namespace space = test.Spaces[i];
            int formats = space.FormatCount;
            for (long piece = 0; piece < pieces[i]; piece++)
            {
                if (test.Over.IsCancellationRequested)
                    return;
                if (space.FormatCount != formats)
                {
                    _parts.SelfTests.End(test, SelfTestResult.AbortedByFormat);
                    return;
                }
                if (!TryRead(test, space, OffsetOf(space, piece, pieces[i])))
                    return;
                _parts.SelfTests.Progress(test, (int)(++done * 100 / total));
            }
        }
        _parts.SelfTests.End(test, SelfTestResult.Passed);
    }

    // a short one reads some pieces from all over the disk, an extended one all
    private static long PiecesOf(SelfTest test, Namespace space)
    {
        long all = (space.Length + Piece - 1) / Piece;
        return test.Kind == SelfTestKind.Short ? Math.Min(all, ShortPieces) : all;
    }

    private static long OffsetOf(Namespace space, long piece, long pieces)
    {
        long all = (space.Length + Piece - 1) / Piece;
        return (long)((Int128)piece * all / pieces) * Piece;
    }

    private bool TryRead(SelfTest test, Namespace space, long offset)
    {
        if (!space.TryUse())
        {
            _parts.SelfTests.End(test, SelfTestResult.AbortedByRemoval);
            return false;
        }
        long begun = Stopwatch.GetTimestamp();
        int length = (int)Math.Clamp(space.Length - offset, 0, Piece); // it may have become shorter
        Status status = Status.Success;
        long first = offset;
        try
        {
            if (space.Uncorrectable.Contains(offset, length, out long bad))
                (status, first) = (Status.UnrecoveredReadError, bad);
            else if (length > 0)
                Wait.For(space.Disk.ReadAsync(offset, _buffer[..length], test.Over));
        }
        catch (OperationCanceledException) when (test.Over.IsCancellationRequested)
        {
            return false;
        }
        catch (Exception e)
        {
            status = DiskFailure.StatusOf(e, writes: false);
            if (status == Status.InternalError)
                _parts.LogUnexpected(e);
        }
        finally
        {
            space.EndUse();
        }
        if (status != Status.Success)
        {
            _parts.SelfTests.End(test, SelfTestResult.Failed, new SelfTestEntry(0, ReadSegment, KnowsAll, 0, 0, space.Id,
                (ulong)(first / space.BlockSize), (byte)((int)status >> 8 & 7), (byte)status, 0));
            return false;
        }
        Yield(test, Stopwatch.GetElapsedTime(begun));
        return true;
    }

    // While the guest has commands it has the disk for as long again.
    private void Yield(SelfTest test, TimeSpan read)
    {
        NvmeStatistics done = _parts.Statistics;
        long commands = done.Reads + done.Writes;
        if (commands == Interlocked.Exchange(ref _commands, commands))
            return;
        TimeSpan pause = read < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : read;
        test.Over.WaitHandle.WaitOne(pause);
    }
}
