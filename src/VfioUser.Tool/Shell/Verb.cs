namespace VfioUser.Tool.Shell;

/// <summary>A command of the shell and of its scripts. Immutable.</summary>
/// <param name="Name">One word, or two as in <c>dma fill</c>.</param>
/// <param name="Takes">What follows, as the help has it.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Run">Takes the words after the name, all of them.</param>
internal sealed record Verb(string Name, string Takes, string Summary, Action<ShellSession, Words> Run)
{
    /// <summary>A command that takes nothing.</summary>
    public static Verb Alone(string name, string summary, Action<ShellSession> run) => new(name, "", summary, (session, words) =>
    {
        words.End();
        run(session);
    });

    public string Usage => Takes.Length == 0 ? Name : $"{Name} {Takes}";
}
