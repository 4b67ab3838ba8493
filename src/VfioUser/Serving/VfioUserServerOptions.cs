using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using VfioUser.Protocol;

namespace VfioUser;

/// <summary>Options for a server. Immutable.</summary>
public sealed record VfioUserServerOptions
{
    /// <summary>Mode of the socket file, which decides who may connect. Default 0600: only its owner.</summary>
    public UnixFileMode SocketMode { get; init; } = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Called when a client has connected, before anything is received; false disconnects it. Null accepts all clients.</summary>
    public Func<PeerCredentials, bool>? AcceptPeer { get; init; }

    /// <summary>Whether the server sends its commands on a twin socket if the client supports it.</summary>
    public TwinSocketPolicy TwinSocket { get; init; } = TwinSocketPolicy.Prefer;

    /// <summary>
    /// Maps guest memory even if its file can shrink; if the client then shrinks it, this process is killed by SIGBUS.
    /// For trusted clients whose files are not sealed. By default such memory is accessed with system calls.
    /// </summary>
    public bool TrustClientMemory { get; init; }

    /// <summary>Whether a guest's access to something that the device does not model is an exception of the device instead of a log
    /// message, for tests: to an offset without register, memory or handler, to a tag, to reserved bits, or a write to a register that takes
    /// none.</summary>
    public bool RefuseUnmodelledAccesses { get; init; }

    /// <summary>Whether clients can read names, offsets and fields of the device's registers, so that the tool <c>vfio-user</c> accesses
    /// them by name. They are in one more region, after those of the device. Off by default, for clients that cannot have many:
    /// SPDK's has room for ten.</summary>
    public bool RegisterMap { get; init; }

    /// <summary>Most DMA regions mapped at the same time; at least 1.</summary>
    public int MaxDmaMaps { get; init => field = AtLeast(1, value); } = ProtocolLimits.MaxDmaMaps;

    /// <summary>Most bytes of all dirty bitmaps together; what needs more is refused. A bitmap has one bit per page: 32 KiB for
    /// 1 GiB of guest memory with pages of 4 KiB.</summary>
    public long MaxDirtyBitmapMemory { get; init => field = AtLeast(0, value); } = 256 << 20;

    /// <summary>Whether to serve command 19 of libvfio-user's pull request 823, which returns how much there is to read in
    /// pre-copy. It is not in the specification, and the number may get another meaning: only for clients known to use it.</summary>
    public bool PreCopyInfo { get; init; }

    /// <summary>Most bytes of a dirty bitmap in one reply, and so of memory for a reply; from 8 to
    /// <see cref="ProtocolLimits.MaxBitmapSize"/>, the default. Negotiated as <c>migration.max_bitmap_size</c>: clients request
    /// longer bitmaps in pieces, and cannot unmap a range with a bitmap that is longer.</summary>
    public int MaxBitmapSize { get; init => field = InRange(sizeof(ulong), ProtocolLimits.MaxBitmapSize, value); } = ProtocolLimits.MaxBitmapSize;

    /// <summary>Timeout for a client's reply to DMA_READ or DMA_WRITE; then the access fails. Above 0.</summary>
    public TimeSpan DmaTimeout { get; init => field = Above0(value); } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Most bytes in one DMA_READ or DMA_WRITE, from 1 to 1,048,576, and at most what the client accepts; a longer
    /// access is split. By default 32,768, which a UNIX socket accepts as a whole or not at all: QEMU replies
    /// with one non-blocking write, and loses what the socket does not accept.
    /// </summary>
    public int MaxDmaTransfer { get; init => field = InRange(1, ProtocolLimits.MaxDataTransferSize, value); } = 32 << 10;

    /// <summary>
    /// Most DMA_READ and DMA_WRITE messages in flight, from 1 to 256; others wait. By default 4, whose replies fit together into
    /// the default buffer of a client's socket. Set it to 1 for clients that cannot receive a second message before they have
    /// replied to the first.
    /// </summary>
    public int MaxDmaInFlight { get; init => field = InRange(1, PendingCall.MaxConcurrent, value); } = 4;

    /// <summary>Timeout for a client from the connection to the end of negotiation. Above 0.</summary>
    public TimeSpan NegotiationTimeout { get; init => field = Above0(value); } = TimeSpan.FromSeconds(10);

    /// <summary>How long a client that connects while another is attached waits for that one to disconnect, before it is refused.
    /// Chosen so that the reply arrives within a second, even with late timers.</summary>
    internal TimeSpan BusyAfter { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>How long the Command thread polls for the next command before it sleeps, at most, and a thread for the reply to a DMA
    /// message. Default 100 µs; zero to sleep at once.</summary>
    /// <remarks>It polls while the last waits were shorter than that, twice as long as they were, and not at all for commands that come
    /// one by one. Polling uses a whole processor, and saves the time of a wake-up.</remarks>
    public TimeSpan Spin { get; init => field = AtLeast(TimeSpan.Zero, value); } = AdaptiveSpin.DefaultLimit;

    /// <summary>Whether the Command thread polls for all of <see cref="Spin"/> before each sleep: for a server that has a processor of
    /// its own.</summary>
    public bool IsSpinFixed { get; init; }

    /// <summary>The clock of the device's timers; by default the system's. Times of the server's own, such as <see cref="DmaTimeout"/>,
    /// are the system's always.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>The log of the server; level Trace has a line for each message. By default warnings and errors go to standard error, a
    /// line each; <c>NullLogger.Instance</c> drops them.</summary>
    public ILogger Logger { get; init => field = value ?? throw new ArgumentNullException(nameof(Logger)); } = StandardErrorLogger.Instance;

    /// <summary>Name of the device in metrics, the tag <c>vfio_user.device</c>. Null for the server's address.</summary>
    public string? Name { get; init; }

    /// <summary>Creates and owns the meter <see cref="VfioUserServer.MeterName"/>. Null for one shared by the whole process.</summary>
    public IMeterFactory? MeterFactory { get; init; }

    /// <summary>Where inspectors connect, such as the tool's <c>inspect</c> and <c>top</c>: a path, or <c>@name</c> in the abstract namespace.
    /// Null, the default, for no inspection. The socket only tells; <c>docs/inspection.md</c> has the format.</summary>
    /// <remarks>While it is set, the server counts and times every command, with or without an inspector: some tens of nanoseconds each.
    /// The mode of a socket file is <see cref="SocketMode"/>.</remarks>
    public string? InspectionPath
    {
        get;
        init => field = value is not "" ? value : throw new ArgumentException("InspectionPath is empty; null stands for no inspection.", nameof(value));
    }

    /// <summary>Called when an inspector has connected; false disconnects it. Null accepts root, and processes of the user that the server
    /// runs as. On any thread.</summary>
    public Func<PeerCredentials, bool>? AcceptInspector { get; init; }

    /// <summary>Called when code of the device has thrown, after it was logged; the session continues. On the thread that ran the
    /// code. It must not throw.</summary>
    public Action<DeviceExceptionContext>? OnDeviceException { get; init; }

    private static T AtLeast<T>(T least, T value, [CallerMemberName] string name = "")
        where T : IComparable<T> => value.CompareTo(least) >= 0 ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is at least {least}.");

    private static int InRange(int least, int most, int value, [CallerMemberName] string name = "") =>
        value >= least && value <= most ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is {least} to {most}.");

    private static TimeSpan Above0(TimeSpan value, [CallerMemberName] string name = "") =>
        value > TimeSpan.Zero ? value : throw new ArgumentOutOfRangeException(name, value, $"{name} is a time above 0.");
}
