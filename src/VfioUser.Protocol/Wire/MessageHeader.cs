using System.Runtime.InteropServices;

namespace VfioUser.Protocol;

/// <summary>The 16 bytes before every message, command or reply.</summary>
/// <param name="MessageId">Belongs to the sender and is echoed in the reply; need not be unique.</param>
/// <param name="Command">What to do, or what was done; any 16-bit value can arrive.</param>
/// <param name="MessageSize">Bytes of the whole message with this header, so never below 16 in a valid message.</param>
/// <param name="Flags">Type, No_reply and Error.</param>
/// <param name="Error">An errno in a reply with the Error bit, possibly 0; reserved in a command.</param>
/// <remarks>Spec: Header.</remarks>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct MessageHeader(ushort MessageId, Command Command, uint MessageSize, MessageFlags Flags, uint Error)
{
    /// <summary>Bytes on the wire.</summary>
    public const int WireSize = 16;

    /// <summary>True if the type bits say command.</summary>
    public bool IsCommand => (Flags & MessageFlags.TypeMask) == MessageFlags.Command;

    /// <summary>True if the type bits say reply. A type other than 0 and 1 is neither command nor reply.</summary>
    public bool IsReply => (Flags & MessageFlags.TypeMask) == MessageFlags.Reply;

    /// <summary>True if the sender of this command wants no reply; without meaning in a reply.</summary>
    public bool NoReply => (Flags & MessageFlags.NoReply) == MessageFlags.NoReply;

    /// <summary>True if the Error bit is set; without meaning in a command.</summary>
    public bool IsError => (Flags & MessageFlags.Error) == MessageFlags.Error;
}
