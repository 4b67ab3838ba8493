using VfioUser.Protocol;

namespace VfioUser.Tests;

/// <summary>A device that speaks a format of its own: a length in one byte, and so many bytes.</summary>
internal sealed class RawDevice : PciDevice, IRawMigration
{
    private readonly List<byte> _arrived = [];
    private int _given;

    public RawDevice(bool preCopy = true)
        : base(new PciId(Vendor: 0x1B36, Device: 0x00F4), PciClass.Other)
    {
        Value = AddBar(0, BarKind.Memory32, 0x1000).AddRegister<uint>(0);
        EnableRawMigration(this, preCopy);
    }

    public Register<uint> Value { get; }

    public byte[] Own { get; set; } = [];

    public List<string> Diary { get; } = [];

    /// <summary>Entries of the diary at which to throw what is said.</summary>
    public Dictionary<string, Exception> Throws { get; } = [];

    /// <summary>Most bytes that it gives at once.</summary>
    public int Piece { get; set; } = int.MaxValue;

    /// <summary>What it claims to have given; null for the truth.</summary>
    public int? Claimed { get; set; }

    private byte[] Stream => [(byte)Own.Length, .. Own];

    public MigrationEstimate Estimate() => new(Stream.Length, 1);

    public void OnState(MigrationState oldState, MigrationState newState)
    {
        Note($"{oldState}-{newState}");
        switch (oldState, newState)
        {
            case (_, MigrationState.PreCopy) or (MigrationState.Stop, MigrationState.StopCopy):
                _given = 0;
                break;
            case (_, MigrationState.Resuming):
                _arrived.Clear();
                break;
            case (MigrationState.Resuming, MigrationState.Stop):
                if (_arrived.Count == 0 || _arrived.Count != 1 + _arrived[0])
                    throw new InvalidDataException("the length is wrong");
                Own = [.. _arrived.Skip(1)];
                break;
        }
    }

    public int Read(Span<byte> destination)
    {
        destination.Length.Should().BePositive();
        Note("Read");
        int count = Math.Min(Math.Min(destination.Length, Piece), Stream.Length - _given);
        Stream.AsSpan(_given, count).CopyTo(destination);
        _given += count;
        return Claimed ?? count;
    }

    public void Write(ReadOnlySpan<byte> source)
    {
        source.IsEmpty.Should().BeFalse();
        Note("Write");
        _arrived.AddRange(source);
    }

    protected override void OnStopped() => Note("OnStopped");

    protected override void OnStarted() => Note("OnStarted");

    protected override void OnRestored() => Note("OnRestored");

    protected override void OnReset(ResetReason reason) => Note("OnReset");

    private void Note(string entry)
    {
        Diary.Add(entry);
        if (Throws.TryGetValue(entry, out Exception? exception))
            throw exception;
    }
}
