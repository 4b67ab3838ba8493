using System.Diagnostics.CodeAnalysis;
using static System.FormattableString;

namespace VfioUser.Protocol;

/// <summary>The rules of negotiation for both sides, without a socket.</summary>
/// <remarks>
/// Any thread. Spec: VFIO_USER_VERSION. The reply's capabilities are a subset of the proposed ones, key by key:
/// <list type="bullet">
/// <item><c>max_msg_fds</c> and <c>max_data_xfer_size</c> are limits of each side's own, so they are always in the
/// reply, with the server's numbers. A proposal without them proposes the defaults.</item>
/// <item><c>max_dma_maps</c> and <c>pgsizes</c> hold for both sides: the smaller number, the common sizes. They are in the
/// reply if they were proposed, or if they are not the defaults.</item>
/// <item><c>write_multiple</c>, <c>twin_socket</c> and <c>migration</c> are in the reply only if they were proposed and
/// are granted. Absent means no.</item>
/// </list>
/// </remarks>
[Experimental(Experiments.Transport)]
public static class Negotiator
{
    /// <summary>The highest version that this library speaks: 0.1. It accepts 0.0, which QEMU 11.1 proposes.</summary>
    public static ProtocolVersion Version => new(ProtocolLimits.VersionMajor, ProtocolLimits.VersionMinor);

    /// <summary>Server: decides what to answer to a proposal.</summary>
    /// <param name="proposedVersion">From the client's message.</param>
    /// <param name="proposed">From the client's message.</param>
    /// <param name="own">
    /// What the server can do, <see cref="Capabilities.ServerDefaults"/> or less; values above this library's limits are
    /// lowered to them. Its twin socket is ignored.
    /// </param>
    /// <param name="twinSocket">Whether the device wants a twin socket.</param>
    /// <param name="reply">What to answer; null if refused.</param>
    /// <param name="problem">Why it was refused; null if it was not.</param>
    /// <returns>
    /// None; EINVAL for another major version or no common page size; EOPNOTSUPP if a twin socket is required and not offered.
    /// After an error reply the server closes the connection.
    /// </returns>
    public static Errno Negotiate(
        ProtocolVersion proposedVersion,
        Capabilities proposed,
        Capabilities own,
        TwinSocketPolicy twinSocket,
        out NegotiatedReply? reply,
        out string? problem)
    {
        ArgumentNullException.ThrowIfNull(proposed);
        ArgumentNullException.ThrowIfNull(own);
        reply = null;
        if (proposedVersion.Major != Version.Major)
        {
            problem = Invariant($"version {proposedVersion.Major}.{proposedVersion.Minor} is proposed, only {Version.Major}.x is spoken");
            return Errno.EINVAL;
        }

        if ((proposed.PageSizes & own.PageSizes) == 0)
        {
            problem = Invariant($"no page size in common: 0x{proposed.PageSizes:x} proposed, 0x{own.PageSizes:x} here");
            return Errno.EINVAL;
        }

        // A client that accepts no descriptors cannot receive a socket, even if it offers a twin socket.
        bool twinPossible = proposed is { TwinSocket.Supported: true, MaxMessageFds: > 0 };
        if (twinSocket == TwinSocketPolicy.Require && !twinPossible)
        {
            problem = "the twin socket that is required here is not offered";
            return Errno.EOPNOTSUPP;
        }

        ushort minor = Math.Min(proposedVersion.Minor, Version.Minor);
        bool hasTwin = twinPossible && twinSocket != TwinSocketPolicy.Never;
        reply = new NegotiatedReply(Version with { Minor = minor }, Grant(proposed, Bounded(own), hasTwin));
        problem = null;
        return Errno.None;
    }

    /// <summary>Client: what to propose.</summary>
    /// <param name="own">
    /// What the client can do, <see cref="Capabilities.ClientDefaults"/> or less; values above this library's limits are lowered to them.
    /// </param>
    /// <param name="twinSocket">Whether to offer a twin socket; replaces what <paramref name="own"/> says.</param>
    public static Capabilities Propose(Capabilities own, TwinSocketPolicy twinSocket)
    {
        ArgumentNullException.ThrowIfNull(own);
        return Bounded(own) with { TwinSocket = twinSocket == TwinSocketPolicy.Never ? null : new TwinSocketCapability(Supported: true) };
    }

    /// <summary>Client: checks whether a reply is acceptable.</summary>
    /// <param name="proposedVersion">What the client proposed.</param>
    /// <param name="replyVersion">From the server's reply.</param>
    /// <param name="reply">From the server's reply.</param>
    /// <param name="fdCount">Number of descriptors that came with the reply.</param>
    /// <param name="twinSocket">The policy that the client proposed with.</param>
    /// <param name="outcome">Whether there is a twin socket, and which descriptor it is.</param>
    /// <param name="problem">Why the client must close the connection; null if it need not.</param>
    /// <returns>
    /// None; EPROTO for a version that was not proposed or an inconsistent twin socket; EOPNOTSUPP if a twin socket is
    /// required and was not granted.
    /// </returns>
    public static Errno CheckReply(
        ProtocolVersion proposedVersion,
        ProtocolVersion replyVersion,
        Capabilities reply,
        int fdCount,
        TwinSocketPolicy twinSocket,
        out TwinSocketOutcome outcome,
        out string? problem)
    {
        ArgumentNullException.ThrowIfNull(reply);
        outcome = TwinSocketOutcome.Of(reply, fdCount);
        // A server that enables a twin socket unasked would send its commands on a socket that the client does not read.
        if (twinSocket == TwinSocketPolicy.Never && outcome.IsEnabled)
            outcome = TwinSocketOutcome.Inconsistent;
        if (replyVersion.Major != proposedVersion.Major || replyVersion.Minor > proposedVersion.Minor)
        {
            problem = Invariant(
                $"version {replyVersion.Major}.{replyVersion.Minor} is the reply to {proposedVersion.Major}.{proposedVersion.Minor}");
            return Errno.EPROTO;
        }

        if (outcome.IsInconsistent)
        {
            problem = Invariant($"the reply enables a twin socket without saying which of its {fdCount} descriptors, or unasked");
            return Errno.EPROTO;
        }

        if (twinSocket == TwinSocketPolicy.Require && !outcome.IsEnabled)
        {
            problem = "the server does not grant the twin socket that is required here";
            return Errno.EOPNOTSUPP;
        }

        problem = null;
        return Errno.None;
    }

    // Buffers and control messages have room for these numbers, so neither side may announce more.
    private static Capabilities Bounded(Capabilities own)
    {
        if (own.MaxMessageFds > ProtocolLimits.MaxMessageFds)
            own = own with { MaxMessageFds = ProtocolLimits.MaxMessageFds };
        if (own.MaxDataTransferSize > ProtocolLimits.MaxDataTransferSize)
            own = own with { MaxDataTransferSize = ProtocolLimits.MaxDataTransferSize };
        return own;
    }

    private static Capabilities Grant(Capabilities proposed, Capabilities own, bool twinSocket)
    {
        Capabilities reply = new()
        {
            MaxMessageFds = own.MaxMessageFds,
            MaxDataTransferSize = own.MaxDataTransferSize,
            TwinSocket = twinSocket ? new TwinSocketCapability(Supported: true, FdIndex: 0) : null,
            Migration = Grant(proposed.Migration, own.Migration),
        };
        long maps = Math.Min(proposed.MaxDmaMaps, own.MaxDmaMaps);
        if (proposed.Present.HasFlag(CapabilityKeys.MaxDmaMaps) || maps != reply.MaxDmaMaps)
            reply = reply with { MaxDmaMaps = maps };
        ulong sizes = proposed.PageSizes & own.PageSizes;
        if (proposed.Present.HasFlag(CapabilityKeys.PageSizes) || sizes != reply.PageSizes)
            reply = reply with { PageSizes = sizes };
        if (proposed.WriteMultiple && own.WriteMultiple)
            reply = reply with { WriteMultiple = true };
        return reply;
    }

    // The Rust client wants pgsize in the object, so it is there even if the proposal had none.
    private static MigrationCapability? Grant(MigrationCapability? proposed, MigrationCapability? own)
    {
        if (proposed is null || own is null)
            return null;
        return new MigrationCapability
        {
            PageSize = Min(proposed.PageSize, own.PageSize) ?? ProtocolLimits.PageSize,
            MaxBitmapSize = proposed.MaxBitmapSize is null ? null : Min(proposed.MaxBitmapSize, own.MaxBitmapSize),
        };
    }

    private static ulong? Min(ulong? left, ulong? right) => left is null || right < left ? right : left;
}
