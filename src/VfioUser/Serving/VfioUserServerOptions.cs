using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>How a server treats its socket and its clients. Immutable.</summary>
public sealed record VfioUserServerOptions
{
    /// <summary>Who may connect, by the socket file's mode. By default its owner alone (0600).</summary>
    public UnixFileMode SocketMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Asked before a word is exchanged; false turns the client away. Everyone who can connect is welcome when it is null.</summary>
    public Func<PeerCredentials, bool>? AcceptPeer { get; init; }

    /// <summary>Whether the server's own commands travel on a socket of their own where the client offers it.</summary>
    public TwinSocketPolicy TwinSocket { get; init; } = TwinSocketPolicy.Prefer;

    /// <summary>
    /// Maps guest memory even if its file could shrink, which kills this process when the client makes it shrink.
    /// For clients that are trusted and whose files carry no seal. By default such memory is read and written with system calls.
    /// </summary>
    public bool TrustClientMemory { get; init; }

    /// <summary>Whether an access of a guest to what the device does not model is an exception of the device, in place of a line in the
    /// log: for tests. Such are accesses to a place without register, memory or handler, to a tag, and ones for reserved bits.</summary>
    public bool RefuseUnmodelledAccesses { get; init; }

    /// <summary>DMA regions that may be mapped at one time.</summary>
    public int MaxDmaMaps { get; init; } = ProtocolLimits.MaxDmaMaps;

    /// <summary>Bytes that bitmaps of written pages may take together; what needs more is refused. A bit a page: 32 KiB for
    /// 1 GiB of guest memory in pages of 4 KiB.</summary>
    public long MaxDirtyBitmapSize { get; init; } = 256 << 20;

    /// <summary>Whether clients may ask how much there is to read in pre-copy, with command 19 as libvfio-user's pull request 823 has
    /// it. No specification does, and the number may come to mean something else: for clients that are known to use it so.</summary>
    public bool PreCopyInfo { get; init; }

    /// <summary>Bytes of the longest bitmap of written pages that a client gets in one reply, and so of the memory that one reply
    /// may take; from 8 to <see cref="ProtocolLimits.MaxBitmapSize"/>, the default. Clients are told, as <c>migration.max_bitmap_size</c>,
    /// and ask for longer ones in pieces; memory of which the bitmap is longer cannot be unmapped with one.</summary>
    public int MaxBitmapSize { get; init; } = ProtocolLimits.MaxBitmapSize;

    /// <summary>How long a client may take to answer a read or write of guest memory before the access fails.</summary>
    public TimeSpan DmaTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Bytes of guest memory that one message asks for or brings, from 1 to 1,048,576, and never more than the client takes; an
    /// access of more is cut into several. By default 32,768, which a UNIX socket takes whole or not at all: QEMU answers
    /// with one write that does not wait, and what the socket does not take of it never comes.
    /// </summary>
    public int MaxDmaTransfer
    {
        get;
        init => field = value is >= 1 and <= ProtocolLimits.MaxDataTransferSize
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"A message transfers 1 to {ProtocolLimits.MaxDataTransferSize} bytes.");
    } = 32 << 10;

    /// <summary>
    /// Reads and writes of guest memory by message that a client may have to answer at one time, from 1 to 256; others wait for
    /// their turn. By default 4, whose answers fit into the default buffer of a client's socket together. One at a time is for
    /// clients that cannot take a second one before they have answered the first.
    /// </summary>
    public int MaxDmaInFlight
    {
        get;
        init => field = value is >= 1 and <= PendingCall.MaxConcurrent
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), value, $"From 1 to {PendingCall.MaxConcurrent} can be under way.");
    } = 4;

    /// <summary>How long a client may take from connecting to the end of negotiation.</summary>
    public TimeSpan NegotiationTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client that comes while another one is attached may hope that it leaves. The answer is there within a
    /// second, whatever the timers do.</summary>
    internal TimeSpan BusyAfter { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the command thread looks for the next command before it sleeps. Costs a core, saves microseconds.</summary>
    public TimeSpan Spin { get; init; }

    /// <summary>The clock of the device's timers; by default the system's. Times of the server's own, such as <see cref="DmaTimeout"/>,
    /// are the system's always.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Where the server tells what happens; trace level has a line for each message.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>What the device is called in measurements, as the tag <c>vfio_user.device</c>. Null for the server's address.</summary>
    public string? Name { get; init; }

    /// <summary>Makes the meter <see cref="VfioUserServer.MeterName"/>, and owns it. Null for one that the whole process shares.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>Called when code of the device threw, after it was logged: the session goes on. On the thread that ran the code; it must not throw.</summary>
    public Action<DeviceExceptionContext>? DeviceException { get; init; }
}
