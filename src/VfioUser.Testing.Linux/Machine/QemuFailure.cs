using System.Text.RegularExpressions;

namespace VfioUser.Testing.Linux;

/// <summary>What QEMU says when it does not start, in words that name the socket.</summary>
internal static partial class QemuFailure
{
    /// <summary>A failure's text.</summary>
    /// <param name="message">With what QEMU has written.</param>
    public static string Describe(string message)
    {
        if (Connect().Match(message) is not { Success: true } failed)
            return message;
        string why = failed.Groups["why"].Value is "Connection refused" ? "no server listens there" : failed.Groups["why"].Value;
        return $"Cannot connect to '{failed.Groups["path"].Value}': {why}.";
    }

    [GeneratedRegex(@"Failed to connect to '(?<path>[^']*)': (?<why>[^\n]*?)(\. Its last lines:)?(\n|$)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Connect();
}
