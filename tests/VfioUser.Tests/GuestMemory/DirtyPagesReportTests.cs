using VfioUser.Protocol;

namespace VfioUser.Tests;

public class DirtyPagesReportTests
{
    [Theory]
    [InlineData(4096ul, 4096ul, 8ul)]
    [InlineData(64 * 4096ul, 4096ul, 8ul)]
    [InlineData(64 * 4096ul + 1, 4096ul, 16ul)]
    [InlineData(ulong.MaxValue, 1ul << 63, 8ul)]
    [InlineData(ulong.MaxValue, 4096ul, 1ul << 49)]
    public void The_bitmap_has_whole_words(ulong length, ulong pageSize, ulong size) =>
        DirtyPagesReport.SizeOf(length, pageSize).Should().Be(size);

    [Theory]
    [InlineData(0ul, 0ul)]
    [InlineData(0ul, 1ul)]
    [InlineData(4096ul, 0ul)]
    [InlineData(4096ul, 3ul)]
    [InlineData(4095ul, 4096ul)]
    public void Other_pages_have_none(ulong length, ulong pageSize) =>
        DirtyPagesReport.SizeOf(length, pageSize).Should().BeNull();

    [Fact]
    public void Any_write_is_found_by_any_question_that_a_simple_model_answers_with_yes()
    {
        Random random = new(8);
        for (int round = 0; round < 2000; round++)
        {
            // bytes as the smallest page, so that a plain array can be the model
            ulong start = (ulong)random.Next(0, 500) + (round % 2 == 0 ? 0 : unchecked(0ul - 2000));
            int length = random.Next(1, 1000);
            ulong tracked = 1ul << random.Next(0, 9);
            DirtyPages pages = new(start, start + (ulong)(length - 1), tracked);
            bool[] written = new bool[length];
            for (int i = random.Next(0, 6); i > 0; i--)
            {
                int offset = random.Next(length);
                int count = random.Next(1, length - offset + 1);
                pages.Mark((ulong)offset, count);
                written.AsSpan(offset, count).Fill(true);
            }
            // several questions, one behind the other, make up the whole region
            for (int at = 0; at < length;)
            {
                int part = random.Next(1, length - at + 1);
                ulong asked = Math.Min(1ul << random.Next(0, 9), 1ul << System.Numerics.BitOperations.Log2((uint)part));
                byte[] bitmap = new byte[DirtyPagesReport.SizeOf((ulong)part, asked)!.Value];
                pages.Take(start + (ulong)at, start + (ulong)at + (ulong)(part - 1), new DirtyPagesReport(start + (ulong)at, (ulong)part, asked, bitmap));
                for (int i = 0; i < bitmap.Length * 8; i++)
                {
                    bool reported = (bitmap[i / 8] >> (i % 8) & 1) != 0;
                    int first = at + i * (int)asked;
                    bool model = first < at + part && Touched(written, start, tracked, first, Math.Min(at + part, first + (int)asked) - 1);
                    reported.Should().Be(model, "round {0}, byte {1}, bit {2}", round, at, i);
                }
                at += part;
            }
        }

        // whether a tracked page that has a byte of the range was written to
        static bool Touched(bool[] written, ulong start, ulong tracked, int first, int last)
        {
            for (int at = 0; at < written.Length; at++)
            {
                ulong page = (start + (ulong)at) / tracked;
                if (written[at] && page >= (start + (ulong)first) / tracked && page <= (start + (ulong)last) / tracked)
                    return true;
            }
            return false;
        }
    }
}
