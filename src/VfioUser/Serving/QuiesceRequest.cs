using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A device was asked to come to rest and did not answer at once.</summary>
/// <remarks>Command thread. The device answers on a thread of its own.</remarks>
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
