namespace VfioUser.Tool;

/// <summary>Ends a command with one line for its user.</summary>
internal sealed class ToolException(string message) : Exception(message);
