namespace VfioUser.Tool.Shell;

/// <summary>A terminal, key by key.</summary>
internal interface IKeys
{
    /// <summary>In columns.</summary>
    int Width { get; }

    /// <summary>The next key; null at the end of the input.</summary>
    ConsoleKeyInfo? Read();

    /// <summary>Writes text, with ANSI sequences.</summary>
    void Write(string text);
}
