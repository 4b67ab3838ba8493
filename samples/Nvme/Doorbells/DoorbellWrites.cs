using System.Buffers.Binary;
using Nvme.Controller;
using Nvme.Queues;
using VfioUser;

namespace Nvme.Doorbells;

/// <summary>Doorbells that come as messages. NVMe 1.4 3.1.24, 3.1.25.</summary>
/// <remarks>Command thread.</remarks>
internal sealed class DoorbellWrites(Func<ControllerParts> controller) : IRegionHandler
{
    public void Read(long offset, Span<byte> destination)
    {
        // reading one is vendor-specific: zeros
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (offset < DoorbellRegisters.Offset || offset % sizeof(uint) != 0 || source.Length != sizeof(uint))
            return;
        ControllerParts parts = controller();
        long index = (offset - DoorbellRegisters.Offset) / sizeof(uint);
        if (index >= parts.Doorbells.Count)
        {
            parts.Events.Raise(AsyncEvent.InvalidDoorbellRegister);
            return;
        }
        uint value = BinaryPrimitives.ReadUInt32LittleEndian(source);
        int id = (int)index / 2;
        if (index % 2 == 0)
            Tail(parts, id, (int)index, value);
        else
            Head(parts, id, (int)index, value);
    }

    private static void Tail(ControllerParts parts, int id, int index, uint value)
    {
        if (parts.Queues.Submission(id) is not { } queue || value >= queue.Size)
        {
            parts.Events.Raise(parts.Queues.Submission(id) is null ? AsyncEvent.InvalidDoorbellRegister : AsyncEvent.InvalidDoorbellValue);
            return;
        }
        parts.Doorbells.Write(index, value);
        if (queue.Worker is { } worker)
            worker.Rung(queue);
        else
            parts.AdminWorker.Wake();
    }

    private static void Head(ControllerParts parts, int id, int index, uint value)
    {
        if (parts.Queues.Completion(id) is not { } queue || value >= queue.Size)
        {
            parts.Events.Raise(parts.Queues.Completion(id) is null ? AsyncEvent.InvalidDoorbellRegister : AsyncEvent.InvalidDoorbellValue);
            return;
        }
        parts.Doorbells.Write(index, value);
        Interlocked.MemoryBarrier();
        if (queue.TakeStarved())
            parts.WakeAll();
        parts.Interrupts.Update();
        // the register only tells that the head in guest memory has moved
        if (parts.Interrupts.NeedsLooks)
            parts.AdminWorker.Wake();
    }
}
