using System.Buffers;

namespace VfioUser.Tool.Scratch;

/// <summary>A device that is built from a description.</summary>
internal sealed class ScratchDevice : PciDevice
{
    private readonly List<ScratchRegion> _regions = [];
    private readonly List<(RegionMemory Memory, byte[] Initial)> _memory = [];
    private readonly List<Action> _checks = [];
    private readonly Dictionary<string, IReadOnlyList<Irq>> _irqs = new(StringComparer.Ordinal);

    /// <exception cref="ToolException">The description is invalid.</exception>
    public ScratchDevice(DeviceFile file)
        : base(Describe.Id(file), Describe.Class(file))
    {
        Bar[] added = new Bar[6];
        foreach ((BarFile bar, string path) in Describe.Each(file.Bars, "bars"))
            Describe.Try(path, () => Add(bar, path, added));
        if (file.Irqs is { } irqs)
            AddIrqs(irqs, added);
        foreach ((CapabilityFile capability, string path) in Describe.Each(file.Capabilities, "capabilities"))
            Describe.Try(path, () => CapabilityAdder.Add(Config, capability, path));
        if (file.Migration)
            EnableMigration(Save, Restore, _regions.Sum(region => region.Bytes.Length));
    }

    /// <summary>Checks that need the complete device.</summary>
    /// <exception cref="ToolException">A doorbell triggers an interrupt that the device does not have.</exception>
    public ScratchDevice Checked()
    {
        _checks.ForEach(check => check());
        return this;
    }

    protected override void OnReset(ResetReason reason) => Restart();

    private void Restart()
    {
        foreach (ScratchRegion region in _regions)
            region.Reset();
        foreach ((RegionMemory memory, byte[] initial) in _memory)
        {
            foreach (MemoryArea area in memory.Areas)
                initial.AsSpan((int)area.Offset, (int)area.Length).CopyTo(memory.Span(area.Offset, (int)area.Length));
        }
    }

    private void Add(BarFile file, string path, Bar[] added)
    {
        int number = (int)Describe.Below(file.Number, 6, $"{path}.number");
        int size = (int)Describe.Below(file.Size, Describe.LargestBar + 1, $"{path}.size");
        byte[] initial = Describe.Content(file, size, path);
        ScratchRegion region = new(initial);
        Bar bar = AddBar(number, Describe.Kind(file.Kind, $"{path}.kind"), size, region, !file.ReadOnly);
        added[number] = bar;
        foreach ((ulong offset, ulong length) in Describe.Areas(file.ReadOnlyAreas, size, $"{path}.readOnlyAreas"))
            region.Protect(offset, length);
        (ulong Offset, ulong Size)[] mapped = [.. Describe.Areas(file.Mapped, size, $"{path}.mapped")];
        if (mapped.Length > 0)
            _memory.Add((bar.ShareMemory([.. mapped.Select(area => new MemoryArea((long)area.Offset, (long)area.Size))]), initial));
        foreach ((DoorbellFile doorbell, string here) in Describe.Each(file.Doorbells, $"{path}.doorbells"))
            AddDoorbell(region, doorbell, mapped, here);
        _regions.Add(region);
        Restart();
    }

    private void AddDoorbell(ScratchRegion region, DoorbellFile file, (ulong Offset, ulong Size)[] mapped, string path)
    {
        ulong offset = Describe.Below(file.Offset, (ulong)region.Bytes.Length, $"{path}.offset");
        if (mapped.Any(area => offset >= area.Offset && offset - area.Offset < area.Size))
            throw new ToolException($"{path}.offset: writes to mapped memory are not seen.");
        if (file.Dma is null && file.Irq is null)
            throw new ToolException($"{path}: it does nothing; give it dma, or irq.");
        if (file.Irq is not (null or "intx" or "msi" or "msix"))
            throw new ToolException($"{path}.irq: '{file.Irq}' is none of intx, msi and msix.");
        DmaDoorbell? dma = file.Dma is null ? null : Describe.DmaOf(file.Dma, (ulong)region.Bytes.Length, $"{path}.dma");
        region.AddDoorbell(offset, () =>
        {
            dma?.Run(Dma, region);
            Trigger(file.Irq, file.Vector);
        });
        _checks.Add(() =>
        {
            if (file.Irq is not null && (!_irqs.TryGetValue(file.Irq, out IReadOnlyList<Irq>? vectors) || file.Vector >= (ulong)vectors.Count))
                throw new ToolException($"{path}.vector: irqs has no vector {file.Vector} of {file.Irq}.");
        });
    }

    private void AddIrqs(IrqsFile file, Bar[] bars)
    {
        if (file.Intx)
            _irqs["intx"] = [AddIntx()];
        if (file.Msi is { } msi)
            Describe.Try("irqs.msi", () => _irqs["msi"] = AddMsi((int)Describe.Below(msi.Vectors, 33, "irqs.msi.vectors")));
        if (file.Msix is { } msix)
        {
            Bar bar = bars[Describe.Below(msix.Bar, 6, "irqs.msix.bar")] ?? throw new ToolException($"irqs.msix.bar: there is no BAR {msix.Bar}.");
            long offset = (long)Describe.Below(msix.Offset, (ulong)bar.Size, "irqs.msix.offset");
            int vectors = (int)Describe.Below(msix.Vectors, 2049, "irqs.msix.vectors");
            Describe.Try("irqs.msix", () => _irqs["msix"] = bar.AddMsiX(offset, vectors));
        }
    }

    private void Trigger(string? irq, ulong vector)
    {
        if (irq is null)
            return;
        // of INTx that is a pulse: there is no status register in which a guest could clear a level
        _irqs[irq][(int)vector].Trigger();
    }

    private void Save(IBufferWriter<byte> state)
    {
        foreach (ScratchRegion region in _regions)
            state.Write(region.Bytes);
    }

    private void Restore(ReadOnlySpan<byte> state)
    {
        if (state.Length != _regions.Sum(region => region.Bytes.Length))
            throw new InvalidDataException("The state is another device's.");
        foreach (ScratchRegion region in _regions)
        {
            state[..region.Bytes.Length].CopyTo(region.Bytes);
            state = state[region.Bytes.Length..];
        }
    }
}
