using System.Buffers.Binary;

namespace VfioUser;

/// <summary>The state that the library migrates for a device. Its sizes follow from the declarations, so both sides know them.</summary>
/// <remarks>Command thread; the device is declared completely.</remarks>
internal sealed class StateLayout(PciDevice device)
{
    private readonly List<(Region Region, RegionPart Part)> _parts = [.. PartsOf(device)];
    private readonly List<Irq> _irqs = [.. IrqsOf(device)];

    public int ConfigSize => device.Config.Size;

    public int PartsSize => _parts.Sum(part => MigrationStream.PartHeaderSize + part.Part.StateSize);

    public int IrqsSize => _irqs.Count;

    /// <summary>Bytes of the Timers record; 0 for a device without timers, which has no such record.</summary>
    public int TimersSize => device.CommandWork.TimerStateSize;

    /// <summary>Number of records that occur once: configuration space, parts, interrupts, and timers if there are any.</summary>
    public int OnceCount => TimersSize > 0 ? 4 : 3;

    /// <summary>Bytes of the stream without the records of device state.</summary>
    public ulong StreamSize => (ulong)(MigrationHeader.WireSize + (OnceCount + 1) * MigrationStream.RecordHeaderSize
        + ConfigSize + PartsSize + IrqsSize + TimersSize + MigrationStream.EndSize)
        + Memory.Aggregate(0ul, (sum, part) => sum + part.Area.Length + HeaderBytes(part.Area.Length, MigrationStream.MemoryHeaderSize));

    /// <summary>Bytes of record headers for data that is split into records.</summary>
    /// <param name="length">Of the data, in bytes.</param>
    /// <param name="more">Bytes before the data in each record.</param>
    public static ulong HeaderBytes(ulong length, int more = 0)
    {
        ulong piece = (ulong)(MigrationWriter.PieceSize - more);
        return (length / piece + (length % piece == 0 ? 0u : 1u)) * (ulong)(MigrationStream.RecordHeaderSize + more);
    }

    /// <summary>Shared memory, area by area.</summary>
    public IEnumerable<(Region Region, MemoryArea Area)> Memory =>
        from index in Enumerable.Range(0, device.RegionCount)
        let region = device.RegionAt((uint)index)
        where region?.Memory is not null
        from area in region!.Memory!.Areas
        select (region, area);

    public void SaveParts(Span<byte> destination)
    {
        foreach ((Region region, RegionPart part) in _parts)
        {
            PutHeader(destination, region, part);
            part.SaveState(destination.Slice(MigrationStream.PartHeaderSize, part.StateSize));
            destination = destination[(MigrationStream.PartHeaderSize + part.StateSize)..];
        }
    }

    /// <summary>What is wrong with a Parts record of the right size; null if nothing is.</summary>
    public string? ProblemOfParts(ReadOnlySpan<byte> source)
    {
        Span<byte> header = stackalloc byte[MigrationStream.PartHeaderSize];
        foreach ((Region region, RegionPart part) in _parts)
        {
            PutHeader(header, region, part);
            if (!source.StartsWith(header))
                return $"it has no register or table at 0x{part.Start:x} of {region.Index} where this device has one";
            source = source[(MigrationStream.PartHeaderSize + part.StateSize)..];
        }
        return null;
    }

    public void RestoreParts(ReadOnlySpan<byte> source)
    {
        foreach ((Region _, RegionPart part) in _parts)
        {
            part.RestoreState(source.Slice(MigrationStream.PartHeaderSize, part.StateSize));
            source = source[(MigrationStream.PartHeaderSize + part.StateSize)..];
        }
    }

    public void SaveIrqs(Span<byte> destination)
    {
        for (int i = 0; i < _irqs.Count; i++)
            destination[i] = _irqs[i].SaveState();
    }

    public void RestoreIrqs(ReadOnlySpan<byte> source)
    {
        for (int i = 0; i < _irqs.Count; i++)
            _irqs[i].RestoreState(source[i]);
    }

    public void SaveTimers(Span<byte> destination) => device.CommandWork.SaveTimers(destination);

    /// <summary>What is wrong with a Timers record of the right size; null if nothing is.</summary>
    public static string? ProblemOfTimers(ReadOnlySpan<byte> source) => TimerSet.IsState(source) ? null : "a timer of it has a negative time";

    public void RestoreTimers(ReadOnlySpan<byte> source) => device.CommandWork.RestoreTimers(source);

    /// <summary>The device runs again: delivers pending interrupts.</summary>
    public void DeliverIrqs()
    {
        foreach (Irq irq in _irqs)
            irq.DeliverRestored();
    }

    /// <summary>The shared memory of a region; null if the bytes do not lie in one of its areas.</summary>
    public RegionMemory? MemoryAt(uint region, ulong offset, ulong length)
    {
        RegionMemory? memory = device.RegionAt(region)?.Memory;
        return memory is not null && memory.Areas.Any(area =>
            offset >= area.Offset && offset - area.Offset <= area.Length && length <= area.Length - (offset - area.Offset)) ? memory : null;
    }

    private static void PutHeader(Span<byte> destination, Region region, RegionPart part)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, (uint)region.Index);
        BinaryPrimitives.WriteInt32LittleEndian(destination[4..], part.StateSize);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[8..], part.Start);
    }

    private static IEnumerable<(Region Region, RegionPart Part)> PartsOf(PciDevice device) =>
        from index in Enumerable.Range(0, device.RegionCount)
        let region = device.RegionAt((uint)index)
        where region is not null
        from part in region.Parts
        where part.StateSize > 0
        select (region, part);

    private static IEnumerable<Irq> IrqsOf(PciDevice device) =>
        Enumerable.Range(0, PciDevice.PciIrqCount).SelectMany(type => device.IrqsAt((uint)type) ?? Enumerable.Empty<Irq>());
}
