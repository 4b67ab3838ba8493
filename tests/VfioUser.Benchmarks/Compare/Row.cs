namespace VfioUser.Benchmarks;

/// <summary>One line of the table: what is measured on both sides, and what it may cost.</summary>
/// <param name="Name">What is done.</param>
/// <param name="Unit">Of time, each; or of a rate.</param>
/// <param name="Target">Of the ratio ours / floor.</param>
/// <param name="Floor">Measures the floor once, in the unit.</param>
/// <param name="Ours">Measures the library once, in the unit.</param>
internal sealed record Row(string Name, string Unit, double Target, Func<double> Floor, Func<double> Ours)
{
    public bool MoreIsBetter => Unit is "GB/s" or "lookups/µs";

    /// <summary>Whether it is there to explain another row, with no target of its own.</summary>
    public bool IsExplanation { get; init; }

    /// <summary>Whether the target bounds what we need more than the floor, in the unit, and not the ratio.</summary>
    public bool IsDifference { get; init; }

    /// <summary>Measures each of the other servers once, in the unit; empty where only the library can be measured.</summary>
    public IReadOnlyList<Func<double>> Others { get; init; } = [];

    /// <summary>Whether a ratio is within so many times the target, and a difference, which grows with the machine's own speed, within
    /// twice as many.</summary>
    public bool Meets(double ratio, double factor = 1) =>
        IsExplanation || (MoreIsBetter ? ratio >= Target / factor : ratio <= Target * (IsDifference && factor > 1 ? 2 * factor : factor));
}
