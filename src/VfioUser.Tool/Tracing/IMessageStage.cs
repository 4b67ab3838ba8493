using VfioUser.Protocol;

namespace VfioUser.Tool.Tracing;

/// <summary>Decides whether a message is passed on.</summary>
/// <remarks>Called on the thread that passes the message on. It may block, which delays later messages in the same direction.</remarks>
internal interface IMessageStage
{
    Verdict Judge(Way way, in MessageHeader header);
}

/// <summary>The action to take on a message.</summary>
internal enum Fate
{
    PassOn,

    /// <summary>It is dropped.</summary>
    Swallow,

    /// <summary>Its sender gets an error reply.</summary>
    Refuse,

    /// <summary>The connection ends in its place.</summary>
    Close,
}

/// <summary>The action to take on a message, and the error if it is refused.</summary>
[System.Runtime.InteropServices.StructLayout(System.Runtime.InteropServices.LayoutKind.Auto)]
internal readonly record struct Verdict(Fate Fate, Errno Errno = Errno.None);
