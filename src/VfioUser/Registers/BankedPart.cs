namespace VfioUser;

/// <summary>Several registers at one offset, of which the device selects one.</summary>
/// <param name="start">First byte.</param>
/// <param name="banks">The registers.</param>
/// <param name="name">Their common name.</param>
/// <param name="bank">Returns the index of the selected bank. It may be the guest's, and so any number.</param>
internal sealed class BankedPart(long start, RegisterPart[] banks, string name, Func<int> bank) : NamedPart(start, banks[0].Layout, name)
{
    /// <summary>All of them, selected or not.</summary>
    public IReadOnlyList<RegisterPart> Banks => banks;

    public override bool HasWriteHandler => banks[0].HasWriteHandler;

    public override ulong Value
    {
        get => Bank?.Value ?? 0;
        set
        {
            if (Bank is { } selected)
                selected.Value = value;
        }
    }

    public override ulong Update(ulong mask, ulong value) => Bank?.Update(mask, value) ?? 0;

    public override int StateSize => banks.Sum(part => part.StateSize);

    private RegisterPart? Bank => bank() is var index && (uint)index < (uint)banks.Length ? banks[index] : null;

    public override void Read(long offset, Span<byte> destination)
    {
        if (Bank is { } selected)
            selected.Read(offset, destination);
        else
            destination.Clear();
    }

    public override void Write(long offset, ReadOnlySpan<byte> source) => Bank?.Write(offset, source);

    public override void Reset()
    {
        foreach (RegisterPart part in banks)
            part.Reset();
    }

    public override void ResetWith(bool keepSticky)
    {
        foreach (RegisterPart part in banks)
            part.ResetWith(keepSticky);
    }

    public override void SaveState(Span<byte> destination)
    {
        foreach (RegisterPart part in banks)
        {
            part.SaveState(destination[..part.StateSize]);
            destination = destination[part.StateSize..];
        }
    }

    public override void RestoreState(ReadOnlySpan<byte> source)
    {
        foreach (RegisterPart part in banks)
        {
            part.RestoreState(source[..part.StateSize]);
            source = source[part.StateSize..];
        }
    }
}
