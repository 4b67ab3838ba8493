namespace VfioUser;

/// <summary>Being inside a <see cref="DeviceWork"/>, until it is disposed.</summary>
/// <remarks>Dispose it once, on any thread; a copy is the same stay.</remarks>
public readonly struct DeviceWorkScope : IDisposable
{
    private readonly DeviceWork? _work;

    internal DeviceWorkScope(DeviceWork work) => _work = work;

    /// <summary>Leaves.</summary>
    public void Dispose() => _work?.Exit();
}
