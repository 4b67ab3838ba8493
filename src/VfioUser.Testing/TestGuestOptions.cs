using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace VfioUser.Testing;

/// <summary>Options for the guest that a device is tested with. Immutable.</summary>
public sealed record TestGuestOptions
{
    /// <summary>How the device accesses the guest's memory.</summary>
    public GuestMemoryKind Memory { get; init; } = GuestMemoryKind.Mapped;

    /// <summary>Size of the guest's memory in bytes; a multiple of 4096.</summary>
    public ulong MemorySize { get; init; } = 16 << 20;

    /// <summary>IOVA of the guest's first byte of memory. Not 0, so that a DMA to a forgotten address fails.</summary>
    public Iova MemoryAddress { get; init; } = new(0x1_0000_0000);

    /// <summary>Timeout of everything that the guest waits for. By default five seconds; the environment variable
    /// <c>VFIO_USER_TEST_TIMEOUT</c> has another number of seconds, for slow machines. An hour under a debugger.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout.Value;

    /// <summary>How long the device may hold a lease or a pin while the guest waits in <see cref="GuestRam.Unmap"/> or in Dispose: then
    /// those throw, with the stack of the call that took it. So do they when a worker has not ended by then. At most <see cref="Timeout"/>. By
    /// default one second, or a fifth of what <c>VFIO_USER_TEST_TIMEOUT</c> says.</summary>
    public TimeSpan LeaseTimeout { get; init; } = DefaultTimeout.Value / 5;

    /// <summary>Whether every vector of every type has an eventfd from the start, regardless of the configuration space.
    /// False for a machine at boot: then <see cref="TestGuest.StartDriver"/> enables interrupts.</summary>
    public bool EnableInterrupts { get; init; } = true;

    /// <summary>Whether the guest sets Bus Master Enable when it attaches, and after <see cref="TestGuest.Reset"/>: without it the device
    /// may not access memory nor send MSI and MSI-X. False for a machine at boot: then <see cref="TestGuest.StartDriver"/> or
    /// <see cref="PciFunction.SetCommand"/> sets it.</summary>
    public bool EnableBusMaster { get; init; } = true;

    /// <summary>Whether Dispose throws for an exception of the device that the test has not seen: neither as the cause of a failed
    /// access, nor in <see cref="TestGuest.AcceptDeviceExceptions"/>, nor through a hook of its own in <see cref="Server"/>.</summary>
    public bool FailOnDeviceException { get; init; } = true;

    /// <summary>Whether an access to what the device does not model is an exception of the device: to an offset without register, memory or
    /// handler, to a tag, a write of ones to reserved bits, or a write to a register that takes none.</summary>
    public bool Strict { get; init; }

    /// <summary>Gets each line of the server's log as it is written, for a test framework's output. Any thread, one call at a time.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>The lowest level that <see cref="TestGuest.Log"/> keeps. Trace has a line for each message.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>The clock of the device's timers, which <see cref="TestGuest.Advance"/> advances. Null for the one in <see cref="Server"/>.</summary>
    public FakeTimeProvider? TimeProvider { get; init; }

    /// <summary>Ends what the guest waits for, of a server that it is connected to.</summary>
    internal CancellationToken Cancellation { get; init; }

    /// <summary>Options of the server, except that <see cref="Memory"/> decides on the twin socket. Their logger and exception hook are
    /// called, too.</summary>
    public VfioUserServerOptions Server { get; init; } = new();
}
