namespace VfioUser.Testing;

/// <summary>What kind of guest a device is tested with. Immutable.</summary>
public sealed record TestGuestOptions
{
    /// <summary>How the device reaches the guest's memory.</summary>
    public GuestMemory Memory { get; init; } = GuestMemory.Mapped;

    /// <summary>How much memory the guest has, in bytes; a multiple of 4096.</summary>
    public ulong MemorySize { get; init; } = 16 << 20;

    /// <summary>Where the guest's memory begins for the device. Not 0, so that a forgotten address is noticed.</summary>
    public Iova MemoryAddress { get; init; } = new(0x1_0000_0000);

    /// <summary>How long the guest waits for anything before a test fails.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How the server is run; its twin socket is decided by <see cref="Memory"/>.</summary>
    public VfioUserServerOptions Server { get; init; } = new();
}
