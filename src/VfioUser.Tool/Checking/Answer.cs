using VfioUser.Protocol;

namespace VfioUser.Tool.Checking;

/// <summary>A reply, copied out of the stream. The conversation owns its descriptors.</summary>
internal sealed record Answer(MessageHeader Header, byte[] Payload, FdList? Fds)
{
    public bool IsError => Header.IsError;

    public Errno Errno => (Errno)Header.Error;

    /// <summary>Describes the refusal; an error may have errno 0.</summary>
    public string Refusal => Errno == Errno.None ? "refused without an errno" : $"refused with {Errno}";

    public int FdCount => Fds?.Count ?? 0;

    /// <summary>The structure that the payload begins with.</summary>
    public T As<T>()
        where T : unmanaged
    {
        if (IsError)
            throw new BrokenRuleException($"{Header.Command} was {Refusal}");
        return WireFormat.TryRead(Payload, out T value)
            ? value
            : throw new BrokenRuleException($"the reply to {Header.Command} has a payload of {Payload.Length} bytes, too few");
    }

    /// <summary>The structure that is the whole payload.</summary>
    public T AsAll<T>()
        where T : unmanaged
    {
        T value = As<T>();
        int size = Bytes.SizeOf<T>();
        return Payload.Length == size
            ? value
            : throw new BrokenRuleException($"the reply to {Header.Command} has a payload of {Payload.Length} bytes, not {size}");
    }
}
