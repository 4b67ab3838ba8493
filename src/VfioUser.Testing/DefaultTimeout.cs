using System.Diagnostics;
using System.Globalization;

namespace VfioUser.Testing;

/// <summary>The timeout of guests whose options say nothing.</summary>
internal static class DefaultTimeout
{
    private const string Variable = "VFIO_USER_TEST_TIMEOUT";
    private const double LongestSeconds = 86400;

    private static readonly TimeSpan Otherwise = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan UnderDebugger = TimeSpan.FromHours(1);

    public static TimeSpan Value => Debugger.IsAttached ? UnderDebugger : Of(Environment.GetEnvironmentVariable(Variable));

    /// <summary>The time that a value of the variable means.</summary>
    /// <exception cref="InvalidOperationException">It is no number of seconds.</exception>
    public static TimeSpan Of(string? text)
    {
        if (string.IsNullOrEmpty(text))
            return Otherwise;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= LongestSeconds
            ? TimeSpan.FromSeconds(seconds)
            : throw new InvalidOperationException($"{Variable} is '{text}'; it is a number of seconds above 0, a day at most.");
    }
}
