using VfioUser.Protocol;

namespace VfioUser.Testing;

/// <summary>One migration of a guest, in the steps that <c>docs/migration.md</c> has for clients.</summary>
internal sealed class GuestMove(TestGuest source, TestGuest target, GuestMigrationOptions options)
{
    private const int WholeMemory = -1;

    public void Run()
    {
        target.Memory.ContinueFrom(source.Memory);
        foreach (IrqType type in Enum.GetValues<IrqType>())
            target.Interrupts(type).ContinueFrom(source.Interrupts(type));
        target.Migration.SetState(MigrationState.Resuming);
        source.Memory.StartDirtyLog();
        if (source.Memory.Length < source.Memory.Size)
            target.Memory.Truncate(source.Memory.Length);
        Copy(AllPages());
        if (source.Migration.GetFlags().HasFlag(MigrationFlags.PreCopy))
            CopyWhileRunning();
        source.Migration.SetState(MigrationState.StopCopy);
        Copy(source.Memory.TakeAllDirtyPages());
        target.Migration.Write(source.Migration.Read());
        source.Migration.SetState(MigrationState.Stop);
        CheckMemory();
        source.Memory.StopDirtyLog();
        target.Migration.SetState(MigrationState.Running);
    }

    private void CopyWhileRunning()
    {
        source.Migration.SetState(MigrationState.PreCopy);
        int fresh = WholeMemory;
        for (int round = 1; round <= options.MaxPreCopyRounds && fresh != 0; round++)
        {
            byte[] state = source.Migration.Read();
            target.Migration.Write(state);
            fresh = state.Length + Copy(source.Memory.TakeAllDirtyPages());
            if (options.DuringPreCopy is { } during)
            {
                during(round);
                fresh = WholeMemory;
            }
        }
    }

    private int Copy(IReadOnlyCollection<Iova> pages)
    {
        int copied = 0;
        foreach (Iova page in pages.Where(page => page - source.Memory.Address < source.Memory.Length))
        {
            source.Memory.CopyPage(page, target.Memory);
            copied++;
        }
        return copied;
    }

    private Iova[] AllPages() =>
        [.. Enumerable.Range(0, (int)(source.Memory.Length / GuestRam.PageSize)).Select(page => source.Memory.Address + (ulong)page * GuestRam.PageSize)];

    // both devices are stopped, and neither may write memory
    private void CheckMemory()
    {
        if (source.Memory.FirstDifference(target.Memory) is { } page)
        {
            throw new TestGuestException(source.WithLog(
                $"The page at {page} is not the same at the target: {source.DeviceName} wrote it after "
                + $"OnStopped had returned, or {target.DeviceName} before it was started."));
        }
    }
}
