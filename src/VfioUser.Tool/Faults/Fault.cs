using System.Globalization;
using VfioUser.Protocol;

namespace VfioUser.Tool.Faults;

/// <summary>One fault to inject. Immutable.</summary>
/// <remarks>
/// <code>
/// fault   = "refuse:" COMMAND ":" ERRNO [nth]
///         | "delay:" COMMAND ":" TIME [nth]
///         | "no-reply:" COMMAND [nth]
///         | "close:on:" COMMAND [nth]
///         | "close:after:" N
/// nth     = "@" N           only the Nth time, counted from 1
/// TIME    = number ("us" | "ms" | "s")
/// COMMAND = a command's name | "any"
/// </code>
/// </remarks>
/// <param name="Kind">The kind.</param>
/// <param name="Command">The command that it applies to; null for any.</param>
/// <param name="Errno">The error of a refusal.</param>
/// <param name="Time">The length of a delay.</param>
/// <param name="Messages">The number of messages after which a connection ends.</param>
/// <param name="Nth">Only the Nth time, from 1; null for every time.</param>
internal sealed record Fault(FaultKind Kind, Command? Command, Errno Errno, TimeSpan Time, long Messages, long? Nth)
{
    private const string Any = "any";
    private const double LongestDelaySeconds = 3600;

    /// <exception cref="FormatException">The text is no fault; the message says why.</exception>
    public static Fault Parse(string text)
    {
        string[] halves = text.Split('@');
        if (halves.Length > 2)
            throw new FormatException($"'{text}': @ stands once, at the end.");
        long? nth = halves.Length == 2 ? Count(halves[1]) : null;
        Fault fault = halves[0].Split(':') switch
        {
            ["refuse", var command, var errno] => Of(FaultKind.Refuse, command) with { Errno = Error(errno) },
            ["delay", var command, var time] => Of(FaultKind.Delay, command) with { Time = Delay(time) },
            ["no-reply", var command] => Of(FaultKind.NoReply, command),
            ["close", "on", var command] => Of(FaultKind.CloseOn, command),
            ["close", "after", var count] when nth is null => Of(FaultKind.CloseAfter, Any) with { Messages = Count(count) },
            _ => throw new FormatException($"'{text}' is no fault; write refuse:COMMAND:ERRNO, delay:COMMAND:TIME, no-reply:COMMAND or " +
                "close:on:COMMAND, each with @N for the Nth time only, or close:after:N."),
        };
        return fault with { Nth = nth };
    }

    private static Fault Of(FaultKind kind, string command)
    {
        bool known = CommandName.TryParse(command, out Command named);
        if (!known && !command.Equals(Any, StringComparison.Ordinal))
            throw new FormatException($"'{command}' is no command; write REGION_READ, DMA_MAP and so on, or any.");
        return new Fault(kind, known ? named : null, Errno.None, TimeSpan.Zero, 0, null);
    }

    private static Errno Error(string text) => Enum.TryParse(text, out Errno errno) && errno != Errno.None && Enum.IsDefined(errno) && char.IsLetter(text[0])
        ? errno
        : throw new FormatException($"'{text}' is no error; write EIO, EINVAL, EBUSY and so on.");

    private static long Count(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long count) && count > 0
        ? count
        : throw new FormatException($"'{text}' is no number from 1 on.");

    private static TimeSpan Delay(string text)
    {
        string number = text.TrimEnd('u', 'm', 's');
        double unit = text[number.Length..] switch { "us" => 1e-6, "ms" => 1e-3, "s" => 1, _ => double.NaN };
        bool valid = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double count);
        return valid && count * unit <= LongestDelaySeconds
            ? TimeSpan.FromSeconds(count * unit)
            : throw new FormatException($"'{text}' is no time; write 100us, 20ms or 1.5s, an hour at most.");
    }
}
