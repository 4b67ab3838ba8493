namespace VfioUser.Tool;

/// <summary>Ends a command with one line for its user.</summary>
internal class ToolException(string message) : Exception(message);

/// <summary>What was asked for cannot be meant, whatever the server says: ends a command as a wrong command line does.</summary>
internal sealed class UsageException(string message) : ToolException(message);
