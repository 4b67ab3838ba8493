using System.Numerics;

namespace VfioUser.Testing;

/// <summary>A bitmap of dirty pages. Any thread.</summary>
internal sealed class DirtyPageSet(ulong size)
{
    private readonly ulong[] _words = new ulong[(size / GuestRam.PageSize + 63) / 64];

    public void Mark(ulong offset, int length)
    {
        if (length == 0)
            return;
        ulong last = (offset + (ulong)length - 1) / GuestRam.PageSize;
        for (ulong page = offset / GuestRam.PageSize; page <= last; page++)
            Interlocked.Or(ref _words[page / 64], 1ul << (int)(page % 64));
    }

    public void Mark(ReadOnlySpan<ulong> bitmap)
    {
        for (int i = 0; i < bitmap.Length && i < _words.Length; i++)
            Interlocked.Or(ref _words[i], bitmap[i]);
    }

    public List<int> Take()
    {
        List<int> pages = [];
        for (int i = 0; i < _words.Length; i++)
        {
            for (ulong word = Interlocked.Exchange(ref _words[i], 0); word != 0; word &= word - 1)
                pages.Add(i * 64 + BitOperations.TrailingZeroCount(word));
        }
        return pages;
    }
}
