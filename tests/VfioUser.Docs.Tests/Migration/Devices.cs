using System.Buffers;
using System.Runtime.InteropServices;

namespace VfioUser.Docs.Tests.Migration;

/// <summary>A device with one register, which all of these are.</summary>
internal abstract class OneRegister : PciDevice
{
    protected OneRegister(ushort device)
        : base(new PciId(Vendor: 0x1B36, Device: device), PciClass.Other)
    {
        Value = AddBar(0, BarKind.Memory32, size: 0x1000).AddRegister<uint>(0x00);
    }

    public Register<uint> Value { get; }
}

internal sealed class OfRegisters : OneRegister
{
    public OfRegisters()
        : base(0x00D0)
    {
        EnableMigration();
    }
}

internal sealed class OfOneStructure : OneRegister
{
    private long _state;

    public OfOneStructure()
        : base(0x00D1)
    {
        EnableMigration(() => _state, state => _state = state);
    }

    public long State { get => _state; set => _state = value; }
}

internal sealed class OfOnePiece : OneRegister
{
    public OfOnePiece()
        : base(0x00D2)
    {
        EnableMigration(writer => Save(writer), bytes => Load(bytes), maxSize: 1 << 20);
    }

    public byte[] State { get; set; } = [];

    private void Save(IBufferWriter<byte> writer) => writer.Write(State);

    private void Load(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length % 2 != 0)
            throw new InvalidDataException("It comes in pairs.");
        State = bytes.ToArray();
    }
}

/// <summary>A journal that only grows, so that what is there already can be saved while the device runs.</summary>
internal sealed class OfAStream : OneRegister, IMigrationState
{
    private int _saved;

    public OfAStream()
        : base(0x00D3)
    {
        EnableMigration(this, new() { PreCopy = true });
    }

    public List<byte> Journal { get; } = [];

    void IMigrationState.BeginSave() => _saved = 0;

    int IMigrationState.Save(Span<byte> destination, bool stopped)
    {
        int count = Math.Min(destination.Length, Journal.Count - _saved);
        CollectionsMarshal.AsSpan(Journal).Slice(_saved, count).CopyTo(destination);
        _saved += count;
        return count;
    }

    void IMigrationState.BeginRestore() => Journal.Clear();

    void IMigrationState.Restore(ReadOnlySpan<byte> source) => Journal.AddRange(source);

    void IMigrationState.EndRestore()
    {
        if (Journal.Count > 1 << 20)
            throw new InvalidDataException("More than there can be.");
    }
}

internal sealed class ReleasedDevice : PciDevice
{
    public ReleasedDevice()
        : base(new PciId(Vendor: 0x1B36, Device: 0x00D3), PciClass.Other)
    {
        Bar bar0 = AddBar(0, BarKind.Memory32, size: 0x1000);
        bar0.AddRegister<uint>(0x00, new() { Name = "CTRL" });
        bar0.AddRegister<uint>(0x08, new() { Name = "LIMIT", ResetValue = 100, Since = 2 });
        bar0.AddRegister<uint>(0x0C, new() { Name = "TRACE", Since = 2, Migration = RegisterMigration.Optional });
        bar0.AddRegister<uint>(0x10, new() { Name = "CACHE", Migration = RegisterMigration.Skip });
        EnableMigration(new MigrationOptions { Version = 2, MinimumVersion = 1, ReadableFrom = 2 });
    }
}
