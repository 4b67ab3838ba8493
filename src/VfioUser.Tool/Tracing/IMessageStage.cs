using VfioUser.Protocol;

namespace VfioUser.Tool.Tracing;

/// <summary>May do something else with a message than to pass it on.</summary>
/// <remarks>On the thread of the message's way, so it may also wait there: what follows the message waits too.</remarks>
internal interface IMessageStage
{
    Verdict Judge(Way way, in MessageHeader header);
}

/// <summary>What becomes of a message.</summary>
internal enum Fate
{
    PassOn,

    /// <summary>Nobody gets it.</summary>
    Swallow,

    /// <summary>Its sender gets an error for it.</summary>
    Refuse,

    /// <summary>The connection ends in its place.</summary>
    Close,
}

/// <summary>What becomes of a message, and the error where it is refused.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct Verdict(Fate Fate, Errno Errno = Errno.None);
