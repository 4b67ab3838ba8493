using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using static System.FormattableString;

namespace VfioUser.Protocol;

/// <summary>The twin socket according to a reply: one of the specification's three cases.</summary>
/// <remarks>Immutable. Spec: VFIO_USER_VERSION, Reply.</remarks>
[StructLayout(LayoutKind.Auto)]
[Experimental(Experiments.Transport)]
public readonly record struct TwinSocketOutcome
{
    private enum Case
    {
        NotEnabled,
        Enabled,
        Inconsistent,
    }

    private readonly Case _case;
    private readonly int _fdIndex;

    private TwinSocketOutcome(Case which, int fdIndex = 0)
    {
        _case = which;
        _fdIndex = fdIndex;
    }

    /// <summary>The server does not support it or does not want it: go on without, or close.</summary>
    public static TwinSocketOutcome NotEnabled => new(Case.NotEnabled);

    /// <summary>The server would send commands where the client may not receive them: abort and close.</summary>
    public static TwinSocketOutcome Inconsistent => new(Case.Inconsistent);

    /// <summary>Commands from the server come on a socket that came with the reply.</summary>
    /// <param name="fdIndex">Which of the reply's descriptors it is, from 0.</param>
    public static TwinSocketOutcome Enabled(int fdIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(fdIndex);
        return new(Case.Enabled, fdIndex);
    }

    /// <summary>True if there is a twin socket.</summary>
    public bool IsEnabled => _case == Case.Enabled;

    /// <summary>True if the connection must be closed.</summary>
    public bool IsInconsistent => _case == Case.Inconsistent;

    /// <summary>Which of the reply's descriptors is the twin socket; null unless <see cref="IsEnabled"/>.</summary>
    public int? FdIndex => _case == Case.Enabled ? _fdIndex : null;

    /// <summary>Examines the capabilities of a version reply.</summary>
    /// <param name="reply">What the server replied.</param>
    /// <param name="fdCount">Number of descriptors that came with the reply.</param>
    public static TwinSocketOutcome Of(Capabilities reply, int fdCount)
    {
        ArgumentNullException.ThrowIfNull(reply);
        if (reply.TwinSocket is not { Supported: true } twin)
            return NotEnabled;
        return twin.FdIndex is { } index && index >= 0 && index < fdCount ? Enabled(index) : Inconsistent;
    }

    /// <summary>The name of the case, with the index if there is one.</summary>
    public override string ToString() => IsEnabled ? Invariant($"Enabled({_fdIndex})") : _case.ToString();
}
