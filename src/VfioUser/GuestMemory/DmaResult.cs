using System.Runtime.CompilerServices;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The result of an access to guest memory. A condition of it is true if all bytes were accessed:
/// <c>if (!Dma.TryRead(...))</c>. Otherwise it says why and where the access failed.</summary>
/// <remarks>Immutable. The default is <see cref="DmaStatus.None"/>, and false.</remarks>
public readonly record struct DmaResult
{
    // two words, so that a result travels in two registers
    private readonly ulong _address;
    private readonly ulong _code; // status, and the error from bit 32 on

    /// <summary>A result, for a device's own methods.</summary>
    /// <param name="status">What became of the access.</param>
    /// <param name="address">The first byte that could not be accessed.</param>
    /// <param name="errno">The client's error, or that of the system call.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public DmaResult(DmaStatus status, Iova address = default, Errno errno = Errno.None)
    {
        _address = address.Value;
        _code = (uint)status | (ulong)(uint)errno << 32;
    }

    /// <summary>The result of an access whose bytes were all read or written.</summary>
    public static DmaResult Done => new(DmaStatus.Done);

    /// <summary>Whether it was done, or why it failed.</summary>
    public DmaStatus Status => (DmaStatus)(uint)_code;

    /// <summary>The first byte that could not be accessed. 0 if the access was done.</summary>
    /// <remarks>Exact if the address is the cause. If a message or a system call failed, the first byte of that one; if it has no one
    /// byte as cause, such as <see cref="DmaStatus.AddressOverflow"/>, the first byte of the access.</remarks>
    public Iova Address => new(_address);

    /// <summary>The error of the client's reply, or of the system call; None if it is neither.</summary>
    public Errno Errno => (Errno)(uint)(_code >> 32);

    /// <summary>Whether all bytes were read or written.</summary>
    public bool IsDone => Status == DmaStatus.Done;

    /// <summary>Whether the guest's driver gave a wrong address: unmapped, not readable or not writable, not aligned, or beyond an end.
    /// Report it to the driver, as hardware does; other failures belong in a log.</summary>
    public bool IsBadAddress => Status is DmaStatus.NotMapped or DmaStatus.NotReadable or DmaStatus.NotWritable
        or DmaStatus.AddressOverflow or DmaStatus.EndOfList or DmaStatus.Misaligned;

    /// <summary>As <see cref="IsDone"/>.</summary>
    public static implicit operator bool(DmaResult result) => result.IsDone;

    /// <summary>As <see cref="IsDone"/>.</summary>
    public bool ToBoolean() => IsDone;

    /// <summary>As in a line of a log: <c>0x100002000: not mapped</c>.</summary>
    public override string ToString() => Status switch
    {
        DmaStatus.None => "no access",
        DmaStatus.Done => "done",
        DmaStatus.NotMapped => $"{Address}: not mapped",
        DmaStatus.NotReadable => $"{Address}: not readable",
        DmaStatus.NotWritable => $"{Address}: not writable",
        DmaStatus.AddressOverflow => $"{Address}: goes beyond the last address",
        DmaStatus.EndOfList => $"{Address}: the list ends there",
        DmaStatus.BusMasterOff => $"{Address}: bus mastering is off",
        DmaStatus.Misaligned => $"{Address}: not aligned",
        DmaStatus.NotInPlace => $"{Address}: not mapped into this process",
        DmaStatus.NoDescriptor => $"{Address}: no descriptor",
        DmaStatus.NotContiguous => $"{Address}: another region",
        DmaStatus.Refused => $"{Address}: refused by the client ({Errno})",
        DmaStatus.TimedOut => $"{Address}: no reply from the client",
        DmaStatus.Cancelled => $"{Address}: no reply from the client before a reset",
        DmaStatus.BadReply => $"{Address}: an invalid reply from the client",
        DmaStatus.Disconnected => $"{Address}: no client",
        DmaStatus.FileFailed => $"{Address}: the client's file failed ({Errno})",
        _ => $"{Address}: {Status}",
    };
}
