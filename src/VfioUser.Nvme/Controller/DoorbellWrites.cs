namespace VfioUser.Nvme;

/// <summary>Doorbells that come as messages. NVMe 1.4 3.1.24, 3.1.25.</summary>
/// <remarks>Command thread. As the handler of the region it gets those that no queue can have.</remarks>
internal sealed class DoorbellWrites(Func<ControllerParts> controller) : IRegionHandler
{
    private const int Stride = 2 * sizeof(uint); // a queue's tail and head

    /// <summary>Declares them: registers by the names of the specification. Reading one is vendor-specific: zeros.</summary>
    public void AddTo(Bar bar, int queues)
    {
        bar.AddRegisters<uint>(DoorbellRegisters.Offset, queues, Doorbell("SQTDBL", Tail));
        bar.AddRegisters<uint>(DoorbellRegisters.Offset + sizeof(uint), queues, Doorbell("CQHDBL", Head));
    }

    public void Read(long offset, Span<byte> destination)
    {
        // zeros
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (offset >= DoorbellRegisters.Offset && offset % sizeof(uint) == 0 && source.Length == sizeof(uint))
            controller().Events.Raise(AsyncEvent.InvalidDoorbellRegister);
    }

    private static RegisterArrayOptions<uint> Doorbell(string name, Action<int, uint> written) => new()
    {
        Name = name,
        Stride = Stride,
        Access = RegisterAccess.WriteOnly,
        Migration = RegisterMigration.Skip, // the queue has it
        OnWrite = (id, write) =>
        {
            if (write.Lanes == uint.MaxValue)
                written(id, write.New);
        },
    };

    private void Tail(int id, uint value)
    {
        ControllerParts parts = controller();
        if (parts.Queues.Submission(id) is not { } queue || value >= queue.Size)
        {
            parts.Events.Raise(parts.Queues.Submission(id) is null ? AsyncEvent.InvalidDoorbellRegister : AsyncEvent.InvalidDoorbellValue);
            return;
        }
        parts.Doorbells.Write(DoorbellRegisters.TailOf(id), value);
        if (queue.Worker is { } worker)
            worker.DoorbellWritten(queue);
        else
            parts.Workers.WakeAdmin();
    }

    private void Head(int id, uint value)
    {
        ControllerParts parts = controller();
        if (parts.Queues.Completion(id) is not { } queue || value >= queue.Size)
        {
            parts.Events.Raise(parts.Queues.Completion(id) is null ? AsyncEvent.InvalidDoorbellRegister : AsyncEvent.InvalidDoorbellValue);
            return;
        }
        parts.Doorbells.Write(DoorbellRegisters.HeadOf(id), value);
        Interlocked.MemoryBarrier();
        if (queue.TakeStarved())
            parts.WakeAll();
        parts.Interrupts.Update();
        // the register only tells that the head in guest memory has moved
        if (parts.Interrupts.NeedsPolling)
            parts.Workers.WakeAdmin();
    }
}
