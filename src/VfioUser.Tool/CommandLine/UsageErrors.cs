using System.CommandLine;
using System.CommandLine.Parsing;
using VfioUser.Tool.Registers;

namespace VfioUser.Tool.CommandLine;

/// <summary>What is wrong with a command line, with the help of its command, and the nearest name to one that does not exist.</summary>
internal static class UsageErrors
{
    /// <summary>The first error in one line; null if there is none.</summary>
    public static string? First(ParseResult parsed)
    {
        if (Text(parsed) is not { } text)
            return null;
        string command = parsed.CommandResult.Command is { Name: not Commands.ToolName } inner ? $" {inner.Name}" : "";
        return $"{text} See {Commands.ToolName}{command} --help.";
    }

    private static string? Text(ParseResult parsed)
    {
        Command command = parsed.CommandResult.Command;
        if (command == parsed.RootCommandResult.Command && parsed.Errors.Count > 0 && parsed.UnmatchedTokens is [var word, ..])
            return IsOption(word) ? NoOption(command, word) : $"There is no command '{word}'{Suggest(word, command.Subcommands.Where(other => !other.Hidden).Select(other => other.Name))}";
        // the parser takes an unknown option for an argument, and complains of what follows
        if (UnknownOption(parsed) is { } option)
            return NoOption(command, option);
        if (parsed.Errors.Count == 0)
            return null;
        if (parsed.UnmatchedTokens is [var extra, ..])
            return $"'{extra}' is one argument too many.";
        return Missing(parsed) is { } missing ? $"{Commands.ToolName} {command.Name} needs {missing.HelpName ?? missing.Name}." : parsed.Errors[0].Message;
    }

    private static Argument? Missing(ParseResult parsed) => parsed.CommandResult.Command.Arguments
        .FirstOrDefault(argument => argument.Arity.MinimumNumberOfValues > (parsed.GetResult(argument)?.Tokens.Count ?? 0));

    private static string? UnknownOption(ParseResult parsed) => parsed.Tokens
        .TakeWhile(token => token.Type != TokenType.DoubleDash)
        .FirstOrDefault(token => token.Type == TokenType.Argument && IsOption(token.Value))?.Value;

    // -1 is a number
    private static bool IsOption(string word) => word.Length > 1 && word[0] == '-' && !char.IsAsciiDigit(word[1]);

    private static string NoOption(Command command, string option)
    {
        string name = option.Split('=')[0];
        string whose = command.Name is Commands.ToolName ? command.Name : $"{Commands.ToolName} {command.Name}";
        return $"{whose} has no option {name}{Suggest(name, command.Options.Where(other => !other.Hidden).Select(other => other.Name))}";
    }

    private static string Suggest(string name, IEnumerable<string> names) => Nearest.To(name, names) is { } near ? $"; did you mean {near}?" : ".";
}
