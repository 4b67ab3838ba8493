namespace VfioUser;

/// <summary>Leaves a <see cref="DeviceWork"/> when it is disposed.</summary>
/// <remarks>Dispose it exactly once, on any thread.</remarks>
public readonly struct DeviceWorkScope : IDisposable
{
    private readonly DeviceWork? _work;

    internal DeviceWorkScope(DeviceWork work) => _work = work;

    /// <summary>Leaves.</summary>
    public void Dispose() => _work?.Exit();
}
