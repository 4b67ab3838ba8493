using System.Globalization;
using System.Text;

namespace VfioUser.Benchmarks;

/// <summary>What was measured at one rate of reads, for each server.</summary>
internal sealed record RatePoint(double PerSecond, (double Median, double Processor)[] Figures);

/// <summary>Draws latency and processor time over the rate of reads.</summary>
internal static class RateChart
{
    private const int Width = 760;
    private const int PlotWidth = 640;
    private const int PlotHeight = 190;
    private const int Left = 70;
    private static readonly string[] Names = ["sleeps at once", "adapts (default)", "polls 100 µs each time"];
    private static readonly string[] Colours = ["#5b7fb5", "#1f9e6e", "#c2683c"];

    public static string Draw(IReadOnlyList<RatePoint> points)
    {
        StringBuilder svg = new();
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {Width} 560" font-family="sans-serif" font-size="13">""");
        svg.AppendLine("""<title>Latency of a register read and processor time of the server, over reads a second</title>""");
        svg.AppendLine("""<style>text{fill:#222}.g{stroke:#8884}.l{fill:none;stroke-width:2}@media(prefers-color-scheme:dark){text{fill:#ddd}}</style>""");
        double highest = points.SelectMany(point => point.Figures).Max(figure => figure.Median);
        Plot(svg, points, 40, "median of a register read, µs", figure => figure.Median, Math.Ceiling(highest / 20) * 20, 20, value => value.ToString("F0", CultureInfo.InvariantCulture));
        Plot(svg, points, 300, "processor time of the server", figure => figure.Processor, 1, 0.25, value => value.ToString("P0", CultureInfo.InvariantCulture));
        for (int i = 0; i < Names.Length; i++)
        {
            int x = Left + (i * 200);
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<path class="l" stroke="{Colours[i]}" d="M{x} 542h24"/><text x="{x + 30}" y="546">{Names[i]}</text>""");
        }
        svg.AppendLine("</svg>");
        return svg.ToString();
    }

    private static void Plot(StringBuilder svg, IReadOnlyList<RatePoint> points, int top, string title,
        Func<(double Median, double Processor), double> value, double most, double step, Func<double, string> text)
    {
        svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{Left}" y="{top - 14}" font-weight="bold">{title}</text>""");
        for (double line = 0; line <= most + (step / 2); line += step)
        {
            double y = Y(line);
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<path class="g" d="M{Left} {y:F1}h{PlotWidth}"/><text x="{Left - 8}" y="{y + 4:F1}" text-anchor="end">{text(line)}</text>""");
        }
        foreach (double rate in (ReadOnlySpan<double>)[100, 1_000, 10_000, 50_000])
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<text x="{X(rate):F1}" y="{top + PlotHeight + 20}" text-anchor="middle">{rate:N0}/s</text>""");
        for (int i = 0; i < Names.Length; i++)
        {
            string line = string.Join(' ', points.Select(point => string.Create(CultureInfo.InvariantCulture, $"{X(point.PerSecond):F1},{Y(value(point.Figures[i])):F1}")));
            svg.AppendLine(CultureInfo.InvariantCulture, $"""<polyline class="l" stroke="{Colours[i]}" points="{line}"/>""");
        }

        double X(double rate) => Left + (PlotWidth * Math.Log(rate / points[0].PerSecond) / Math.Log(points[^1].PerSecond / points[0].PerSecond));
        double Y(double at) => top + PlotHeight - (PlotHeight * Math.Min(at, most) / most);
    }
}
