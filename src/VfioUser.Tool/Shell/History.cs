namespace VfioUser.Tool.Shell;

/// <summary>The lines of earlier prompts, in a file.</summary>
/// <param name="file">Null for none.</param>
internal sealed class History(string? file)
{
    private const int MaxLines = 1000;

    private readonly List<string> _lines = Read(file);

    /// <summary>The oldest first.</summary>
    public IReadOnlyList<string> Lines => _lines;

    /// <summary>That of the user: <c>vfio-user/history</c> in XDG_STATE_HOME, which is <c>~/.local/state</c>.</summary>
    public static History OfUser()
    {
        string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        string state = Environment.GetEnvironmentVariable("XDG_STATE_HOME") is { Length: > 0 } set ? set : Path.Combine(home, ".local", "state");
        return new History(home.Length == 0 ? null : Path.Combine(state, "vfio-user", "history"));
    }

    /// <summary>Adds a line, unless it is empty or the last one again.</summary>
    public void Add(string line)
    {
        if (string.IsNullOrWhiteSpace(line) || (_lines.Count > 0 && _lines[^1].Equals(line, StringComparison.Ordinal)))
            return;
        _lines.Add(line);
        if (file is null)
            return;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
            File.WriteAllLines(file, _lines.TakeLast(MaxLines));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // the shell works without a file; the next line is tried again
        }
    }

    private static List<string> Read(string? file)
    {
        try
        {
            return file is null || !File.Exists(file) ? [] : [.. File.ReadLines(file).TakeLast(MaxLines)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // as if there were none
            return [];
        }
    }
}
