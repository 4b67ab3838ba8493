using VfioUser.Tool.Benching;

namespace VfioUser.Tool.Tests;

public class LatencyHistogramTests
{
    [Fact]
    public void Small_values_are_kept_exactly()
    {
        LatencyHistogram histogram = new();

        for (ulong value = 1; value <= 200; value++)
            histogram.Record(value);

        histogram.Count.Should().Be(200);
        histogram.Quantile(0.5).Should().Be(100);
        histogram.Quantile(0.99).Should().Be(198);
        histogram.Quantile(0).Should().Be(1);
        histogram.Quantile(1).Should().Be(200);
    }

    [Theory]
    [InlineData(255ul)]
    [InlineData(256ul)]
    [InlineData(257ul)]
    [InlineData(12_345ul)]
    [InlineData(1_000_003ul)]
    [InlineData(ulong.MaxValue - 1)]
    public void Large_values_are_known_within_one_percent(ulong value)
    {
        LatencyHistogram histogram = new();
        histogram.Record(1);
        histogram.Record(value);
        histogram.Record(ulong.MaxValue);

        ulong median = histogram.Quantile(0.5);

        median.Should().BeGreaterThanOrEqualTo(value);
        ((double)median).Should().BeLessThanOrEqualTo(value * 1.01);
    }

    [Fact]
    public void Smallest_and_largest_are_exact_and_bound_the_quantiles()
    {
        LatencyHistogram histogram = new();
        histogram.Record(100_001);
        histogram.Record(100_001);

        (histogram.Min, histogram.Max).Should().Be((100_001ul, 100_001ul));
        histogram.Quantile(0.999).Should().Be(100_001);
    }

    [Fact]
    public void Nothing_is_recorded_at_first_and_after_a_clear()
    {
        LatencyHistogram histogram = new();
        histogram.Record(5);

        histogram.Clear();

        (histogram.Count, histogram.Min, histogram.Max, histogram.Quantile(0.5)).Should().Be((0, 0, 0, 0));
    }
}
