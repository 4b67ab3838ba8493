using VfioUser.Virtio;

namespace Virtio.Cli;

/// <summary>Devices that are served, and what is behind them.</summary>
/// <param name="devices">One for each socket.</param>
internal sealed class ServedDevices(params IReadOnlyList<VirtioDevice> devices) : IAsyncDisposable
{
    public IReadOnlyList<VirtioDevice> Devices => devices;

    /// <summary>Called for SIGHUP, on any thread.</summary>
    public Action? HangUp { get; init; }

    /// <summary>Called when no device is served any more: ends what is behind them.</summary>
    /// <remarks>An <see cref="IOException"/> or <see cref="TimeoutException"/> is a line for the user.</remarks>
    public Func<ValueTask>? Close { get; init; }

    public async ValueTask DisposeAsync()
    {
        foreach (VirtioDevice device in devices)
            device.Dispose();
        if (Close is { } close)
            await close();
    }
}
