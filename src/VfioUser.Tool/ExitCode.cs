namespace VfioUser.Tool;

/// <summary>What the process ends with. Frozen: scripts compare.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The server could not be reached, refused or broke a rule; a wait ran out.</summary>
    public const int Failure = 1;

    /// <summary>The command line was not understood.</summary>
    public const int Usage = 2;

    /// <summary>Ctrl-C before there was a result.</summary>
    public const int Interrupted = 130;
}
