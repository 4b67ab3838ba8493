using System.Buffers.Binary;

namespace VfioUser;

/// <summary>The state that the library migrates for a device. Its sizes follow from the declarations, so both sides know them.</summary>
/// <remarks>Command thread; the device is declared completely.</remarks>
internal sealed class StateLayout(PciDevice device)
{
    // bytes that a record may have for optional parts of a newer version, which this device ignores
    private const int RoomForUnknown = 1 << 20;

    private readonly List<SavedPart> _parts = [.. PartsOf(device)];
    private Dictionary<string, SavedPart>? _byName;
    private readonly List<Irq> _irqs = [.. IrqsOf(device)];

    public int ConfigSize => device.Config.Size;

    public int PartsSize => _parts.Sum(part => part.Size);

    public int MaxPartsSize => PartsSize + RoomForUnknown;

    public int IrqsSize => _irqs.Count;

    /// <summary>Bytes of the Timers record; 0 for a device without timers, which has no such record.</summary>
    public int TimersSize => device.CommandWork.TimerStateSize;

    /// <summary>Number of records that occur once: configuration space, parts, interrupts, and timers if there are any.</summary>
    public int OnceCount => TimersSize > 0 ? 4 : 3;

    /// <summary>Bytes of the stream without the records of device state.</summary>
    public ulong StreamSize => (ulong)(MigrationHeader.WireSize + (OnceCount + 1) * MigrationStream.RecordHeaderSize
        + ConfigSize + PartsSize + IrqsSize + TimersSize + MigrationStream.EndSize)
        + Memory.Aggregate(0ul, (sum, part) => sum + (ulong)part.Area.Length + HeaderBytes((ulong)part.Area.Length, MigrationStream.MemoryHeaderSize));

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
        where region?.Memory is { Migration: not MemoryMigration.Skip }
        from area in region!.Memory!.Areas
        select (region, area);

    public void SaveParts(Span<byte> destination)
    {
        foreach (SavedPart part in _parts)
        {
            part.Save(destination[..part.Size]);
            destination = destination[part.Size..];
        }
    }

    /// <summary>What is wrong with a record of parts; null if nothing is.</summary>
    /// <param name="source">The record.</param>
    /// <param name="version">Of the device that saved it.</param>
    public string? ProblemOfParts(ReadOnlySpan<byte> source, int version)
    {
        HashSet<string> seen = [];
        while (!source.IsEmpty)
        {
            if (!SavedPart.TryRead(ref source, out string name, out bool isOptional, out ReadOnlySpan<byte> state))
                return "a part of it ends too early";
            if (!seen.Add(name))
                return $"it has {name} twice";
            SavedPart? part = ByName.GetValueOrDefault(name);
            if (part is null && !isOptional)
                return $"it has {name}, which is not known here";
            if (part is not null && part.StateSize != state.Length)
                return $"its {name} has {state.Length} bytes where this device has {part.StateSize}";
        }
        SavedPart? missing = _parts.Find(part => !part.MayBeAbsent(version) && !seen.Contains(part.Name));
        return missing is null ? null : $"it has no {missing.Name}, which this device has since version {missing.Since}";
    }

    /// <summary>Restores parts from a record without a problem; those that are not in it are as after a reset.</summary>
    public void RestoreParts(ReadOnlySpan<byte> source)
    {
        foreach (SavedPart part in _parts)
            part.Reset();
        while (SavedPart.TryRead(ref source, out string name, out _, out ReadOnlySpan<byte> state))
            ByName.GetValueOrDefault(name)?.Restore(state);
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
            offset >= (ulong)area.Offset && offset - (ulong)area.Offset <= (ulong)area.Length && length <= (ulong)area.Length - (offset - (ulong)area.Offset)) ? memory : null;
    }

    private Dictionary<string, SavedPart> ByName => _byName ??= _parts.ToDictionary(part => part.Name, StringComparer.Ordinal);

    private static IEnumerable<SavedPart> PartsOf(PciDevice device) =>
        RegisterPartsOf(device).Concat(device.States.Select(state => new SavedPart($"State:{state.Key}", state.Value)));

    private static IEnumerable<SavedPart> RegisterPartsOf(PciDevice device) =>
        from index in Enumerable.Range(0, device.RegionCount)
        let region = device.RegionAt((uint)index)
        where region is not null
        from part in region.Parts
        where part.StateSize > 0
        select new SavedPart($"{region.Index}:{part.StateName}", part);

    private static IEnumerable<Irq> IrqsOf(PciDevice device) =>
        Enumerable.Range(0, PciDevice.PciIrqCount).SelectMany(type => device.IrqsAt((uint)type) ?? Enumerable.Empty<Irq>());
}
