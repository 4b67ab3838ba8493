namespace VfioUser.Tool;

/// <summary>Exit codes of the process. Frozen: scripts depend on them.</summary>
internal static class ExitCode
{
    public const int Success = 0;

    /// <summary>The server could not be reached, refused, or broke a rule; or a wait timed out.</summary>
    public const int Failure = 1;

    /// <summary>The command line is invalid.</summary>
    public const int Usage = 2;

    /// <summary>Of <c>vm</c>, whose other codes are those of the command in the guest: its time was up. As of <c>timeout</c>.</summary>
    public const int TimeIsUp = 124;

    /// <summary>Of <c>vm</c>: there is no guest, or it has ended before the command.</summary>
    public const int NoGuest = 125;

    /// <summary>Ctrl-C before there was a result.</summary>
    public const int Interrupted = 130;
}
