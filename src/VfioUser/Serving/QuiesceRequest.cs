using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A request to quiesce that the device did not answer at once.</summary>
/// <remarks>Command thread. The device may answer on any thread.</remarks>
internal sealed class QuiesceRequest(Task<bool> task, QuiesceReason reason, CancellationToken stopping) : IDisposable
{
    private readonly TaskSignal _signal = new(task, stopping);

    public Task<bool> Task { get; } = task;

    public QuiesceReason Reason { get; } = reason;

    public bool IsAnswered => _signal.IsCompleted;

    /// <inheritdoc cref="TaskSignal.Descriptor"/>
    public SafeHandle? Descriptor => _signal.Descriptor;

    /// <inheritdoc cref="TaskSignal.Wait"/>
    public bool Wait(SafeHandle? client, TimeSpan timeout) => _signal.Wait(client, timeout);

    public void Dispose() => _signal.Dispose();
}
