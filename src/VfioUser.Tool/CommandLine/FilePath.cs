using System.CommandLine.Parsing;

namespace VfioUser.Tool.CommandLine;

/// <summary>Files on the command line.</summary>
internal static class FilePath
{
    /// <summary>Refuses an empty path, such as an unset variable gives: the runtime would throw an ArgumentException for it.</summary>
    public static void NotEmpty(SymbolResult result)
    {
        if (result.Tokens.Any(token => token.Value.Length == 0))
            result.AddError("A file's path is empty.");
    }
}
