namespace VfioUser.Schedules;

/// <summary>Two write pages and mark them, while a third one takes the dirty pages and copies these.</summary>
internal sealed class ReportWhileMarked : Scenario
{
    private const ulong Page = 0x1000;
    private const int Pages = 2;

    private readonly DirtyPages _dirty = new(0, (Pages * Page) - 1, Page);
    private readonly int[] _source = new int[Pages];
    private readonly int[] _target = new int[Pages];

    public override Action[] Threads => [() => Write(0, times: 2), () => Write(1, times: 1), Copy];

    public override void CheckEnd()
    {
        Copy();
        Schedule.Require(_source.AsSpan().SequenceEqual(_target), "a write is lost");
    }

    private void Write(int page, int times)
    {
        for (int value = 1; value <= times; value++)
        {
            _source[page] = value;
            _dirty.Mark((ulong)page * Page, 1);
        }
    }

    private void Copy()
    {
        byte[] bitmap = new byte[sizeof(ulong)];
        _dirty.Take(0, (Pages * Page) - 1, new DirtyPagesReport(0, Pages * Page, Page, bitmap));
        for (int page = 0; page < Pages; page++)
        {
            Schedule.Point("copies");
            if ((bitmap[0] & (1 << page)) != 0)
                _target[page] = _source[page];
        }
    }
}
