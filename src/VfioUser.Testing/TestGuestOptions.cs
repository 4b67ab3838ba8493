using Microsoft.Extensions.Logging;

namespace VfioUser.Testing;

/// <summary>What kind of guest a device is tested with. Immutable.</summary>
public sealed record TestGuestOptions
{
    /// <summary>How the device reaches the guest's memory.</summary>
    public GuestMemoryKind Memory { get; init; } = GuestMemoryKind.Mapped;

    /// <summary>How much memory the guest has, in bytes; a multiple of 4096.</summary>
    public ulong MemorySize { get; init; } = 16 << 20;

    /// <summary>Where the guest's memory begins for the device. Not 0, so that a forgotten address is noticed.</summary>
    public Iova MemoryAddress { get; init; } = new(0x1_0000_0000);

    /// <summary>How long the guest waits for anything before a test fails.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether every vector of every type has an eventfd from the beginning, whatever the configuration space says.
    /// False for a machine as it starts: then <see cref="TestGuest.StartDriver"/> enables interrupts.</summary>
    public bool EnableInterrupts { get; init; } = true;

    /// <summary>Whether Dispose throws when the device threw and the test has not seen it: neither by an access that failed,
    /// nor in <see cref="TestGuest.DeviceExceptions"/>, nor by a hook of its own in <see cref="Server"/>.</summary>
    public bool FailOnDeviceException { get; init; } = true;

    /// <summary>Gets each line of the server's log as it comes, such as the output of a test. Any thread, one at a time.</summary>
    public Action<string>? Output { get; init; }

    /// <summary>From which level on the log is kept in <see cref="TestGuest.Log"/>. Trace has a line for each message.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>How the server is run; its twin socket is decided by <see cref="Memory"/>. Its logger and its hook are called as well.</summary>
    public VfioUserServerOptions Server { get; init; } = new();
}
