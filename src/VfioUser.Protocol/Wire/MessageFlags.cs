namespace VfioUser.Protocol;

/// <summary>The flags field of a message header.</summary>
/// <remarks>Spec: Header. Unknown bits survive a round trip.</remarks>
#pragma warning disable MA0062 // the four type bits are a number, so their mask is no union of named bits
[Flags]
public enum MessageFlags : uint
{
    /// <summary>Type of a command; a value of the type bits, not a bit.</summary>
    Command = 0,

    /// <summary>Type of a reply; a value of the type bits, not a bit.</summary>
    Reply = 0x1,

    /// <summary>The four type bits; of their values only 0 and 1 are assigned.</summary>
    TypeMask = 0xF,

    /// <summary>No_reply, in a command: do not answer it, neither with success nor with an error.</summary>
    NoReply = 0x10,

    /// <summary>Error, in a reply: the command failed, the error field is an errno (or 0), and no payload follows.</summary>
    Error = 0x20,
}
