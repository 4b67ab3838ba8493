namespace VfioUser;

/// <summary>A block in another one.</summary>
internal sealed class NestedBlock(RegisterBlock outer, long offset, string prefix) : RegisterBlock
{
    private readonly List<RegionPart> _declared = [];
    private readonly long _start = outer.StartOf(offset);

    internal override IReadOnlyList<RegionPart> Declared => _declared;

    internal override UnmodelledAccesses Unmodelled => outer.Unmodelled;

    private protected override string Prefix => prefix;

    internal override void Add(RegionPart part, string what)
    {
        outer.Add(part, what);
        _declared.Add(part);
    }

    internal override void CheckSetup() => outer.CheckSetup();

    private protected override long Absolute(long offset) => _start + offset;
}
