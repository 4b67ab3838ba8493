namespace VfioUser.Tool;

/// <summary>Ends a command with a one-line error message.</summary>
internal class ToolException(string message) : Exception(message);

/// <summary>The arguments make no sense, whatever the server answers: ends a command like an invalid command line.</summary>
internal sealed class UsageException(string message) : ToolException(message);
